import type { IncomingHttpHeaders } from 'node:http';
import { SpillwayError, toProblem } from '@spillway/contracts';
import { type Config, isOwnHost, type Keys, type Tokens } from '@spillway/runtime';
import type { Socket } from 'socket.io';
import { type Access, accessOf } from './access.ts';

/** Serves any namespace: of a connection it needs this much. */
type Middleware = (
  socket: { handshake: Socket['handshake']; data: { access: Access } },
  next: (error?: Error) => void,
) => void;

/**
 * Decides at every connect who may watch: a watch token, or a key with the scope `read` where keys are configured, and
 * pages of this site or of the allowed origins only; `operators` need a key with the scope `control` besides. A refusal
 * carries its problem document as `data`.
 */
export function makeAdmission(
  { keys, config, tokens }: { keys: Keys; config: Config; tokens: Tokens },
  who: 'watchers' | 'operators',
): Middleware {
  return (socket, next) => {
    try {
      const { headers, auth } = socket.handshake;
      assertOwnPage(headers, keys, config);
      const token: unknown = auth.token;
      const access = accessOf(typeof token === 'string' ? token : undefined, tokens);
      if (who === 'operators' && !access.isOperator) {
        throw new SpillwayError('forbidden', 'expected a key with the scopes read and control');
      }
      socket.data.access = access;
      next();
    } catch (error) {
      next(
        error instanceof SpillwayError
          ? Object.assign(new Error(error.message), { data: toProblem(error) })
          : (error as Error),
      );
    }
  };
}

/**
 * Pages of this site and of the allowed origins only; while no keys are set, under this service's own names only.
 * @throws SpillwayError `forbidden`
 */
export function assertOwnPage(headers: IncomingHttpHeaders, keys: Keys, config: Config): void {
  const { origin, host = '', 'x-forwarded-host': forwarded } = headers;
  // A proxy in front may ask under its own Host, and say in X-Forwarded-Host which one the browser asked for.
  if (origin && !config.origins.includes(origin) && !isHostOf(origin, forwarded ?? host)) {
    throw new SpillwayError('forbidden', `expected a page of this site or of SPILLWAY_ORIGINS, got one of ${origin}`);
  }
  // Unlike Host, a page's script can set the other header, so it must never be what lets a request in.
  const foreign = [host, ...(forwarded === undefined ? [] : [String(forwarded)])].find(
    (name) => !isOwnHost(name, config),
  );
  if (!keys.required && foreign !== undefined) {
    throw new SpillwayError('forbidden', `expected a Host header that names this service, got ${foreign}`);
  }
}

function isHostOf(origin: string, host: string | string[] | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
