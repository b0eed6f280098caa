import { type Scope, SpillwayError, toProblem } from '@spillway/contracts';
import { type Config, isOwnHost, type Keys, mayUse } from '@spillway/runtime';
import type { Socket } from 'socket.io';
import { type Access, accessOfKey } from './access.ts';

/** Serves any namespace: of a connection it needs this much. */
type Middleware = (
  socket: { handshake: Socket['handshake']; data: { access: Access } },
  next: (error?: Error) => void,
) => void;

/**
 * Decides at every connect who may watch: a key with all of `scopes` where keys are configured, and pages of this site
 * or of the allowed origins only. A refusal carries its problem document as `data`.
 */
export function makeAdmission({ keys, config }: { keys: Keys; config: Config }, scopes: readonly Scope[]): Middleware {
  return (socket, next) => {
    try {
      socket.data.access = admit(socket.handshake, keys, config, scopes);
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

/** @throws SpillwayError `unauthorized`, `forbidden` */
function admit({ headers, auth }: Socket['handshake'], keys: Keys, config: Config, scopes: readonly Scope[]): Access {
  const { origin } = headers;
  // api forwards with its own Host, and says in X-Forwarded-Host which one the browser asked for.
  const host = headers['x-forwarded-host'] ?? headers.host;
  if (origin && !config.origins.includes(origin) && !isHostOf(origin, host)) {
    throw new SpillwayError('forbidden', `expected a page of this site or of SPILLWAY_ORIGINS, got one of ${origin}`);
  }
  if (!keys.required && !isOwnHost(String(host), config)) {
    throw new SpillwayError('forbidden', `expected a Host header that names this service, got ${host}`);
  }
  const token: unknown = auth.token;
  const caller = keys.verify(typeof token === 'string' ? token : undefined);
  if (!caller)
    throw new SpillwayError(
      'unauthorized',
      `expected a valid key as \`auth.token\`, got ${token ? 'one that is not known' : 'none'}`,
    );
  if (!scopes.every((scope) => mayUse(caller, scope)))
    throw new SpillwayError('forbidden', `expected a key with the scope ${scopes.join(' and ')}`);
  return accessOfKey(caller);
}

function isHostOf(origin: string, host: string | string[] | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
