import { SpillwayError, toProblem } from '@spillway/contracts';
import { type Config, isOwnHost, type Keys, mayUse } from '@spillway/runtime';
import type { Socket } from 'socket.io';
import type { Jobs } from './server.ts';

type Middleware = Parameters<Jobs['use']>[0];

/**
 * Decides at every connect who may watch: a key with the scope `read` where keys are configured, and pages of this site
 * or of the allowed origins only. A refusal carries its problem document as `data`.
 */
export function makeAdmission({ keys, config }: { keys: Keys; config: Config }): Middleware {
  return (socket, next) => {
    const refusal = refuse(socket, keys, config);
    next(refusal && Object.assign(new Error(refusal.message), { data: toProblem(refusal) }));
  };
}

function refuse(socket: Pick<Socket, 'handshake'>, keys: Keys, config: Config): SpillwayError | undefined {
  const { headers, auth } = socket.handshake;
  const { origin } = headers;
  // api forwards with its own Host, and says in X-Forwarded-Host which one the browser asked for.
  const host = headers['x-forwarded-host'] ?? headers.host;
  if (origin && !config.origins.includes(origin) && !isHostOf(origin, host)) {
    return new SpillwayError('forbidden', `expected a page of this site or of SPILLWAY_ORIGINS, got one of ${origin}`);
  }
  if (!keys.required && !isOwnHost(String(host), config)) {
    return new SpillwayError('forbidden', `expected a Host header that names this service, got ${host}`);
  }
  const token: unknown = auth.token;
  const caller = keys.verify(typeof token === 'string' ? token : undefined);
  if (!caller)
    return new SpillwayError(
      'unauthorized',
      `expected a valid key as \`auth.token\`, got ${token ? 'one that is not known' : 'none'}`,
    );
  if (!mayUse(caller, 'read')) return new SpillwayError('forbidden', 'expected a key with the scope read');
  return undefined;
}

function isHostOf(origin: string, host: string | string[] | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
