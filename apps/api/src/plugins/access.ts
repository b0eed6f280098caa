import cors from '@fastify/cors';
import { type Scope, SpillwayError } from '@spillway/contracts';
import { bearerOf, type Caller, type Config, isOwnHost, type Keys, mayUse } from '@spillway/runtime';
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    /** What a key needs to use the route. Routes without it are open to everyone. */
    scope?: Scope;
  }
}

/** Who may call: keys and scopes, and which sites' pages. */
export function registerAccess(app: App, { config, keys }: { config: Config; keys: Keys }): void {
  if (config.origins.length > 0) {
    app.register(cors, {
      origin: config.origins,
      methods: ['GET', 'POST', 'DELETE'],
      exposedHeaders: ['x-request-id', 'location', 'retry-after'],
    });
  }
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    const { scope } = request.routeOptions.config;
    if (!scope) return done();
    try {
      assertOwnPage(request, config, keys);
      request.caller = identify(request, keys, scope);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

function identify(request: FastifyRequest, keys: Keys, scope: Scope): Caller {
  const caller = keys.verify(bearerOf(request.headers.authorization));
  if (!caller)
    throw new SpillwayError(
      'unauthorized',
      `expected a valid key in \`Authorization: Bearer <key>\`, got ${request.headers.authorization ? 'one that is not known' : 'none'}`,
    );
  if (!mayUse(caller, scope))
    throw new SpillwayError(
      'forbidden',
      `expected a key with the scope ${scope}, got ${[...caller.scopes].join(', ')}`,
    );
  return caller;
}

/**
 * Without keys, anybody's page in a browser on this machine could call an open api: forms and simple requests need no
 * permission to be sent, and a name that resolves to 127.0.0.1 gets past the same-origin rule. So while it is open, a
 * foreign Origin is refused, and a foreign Host too.
 */
function assertOwnPage({ headers }: FastifyRequest, config: Config, keys: Keys): void {
  if (keys.required) return;
  const { origin, host = '' } = headers;
  if (origin && !config.origins.includes(origin) && !sameHost(origin, host)) {
    throw new SpillwayError('forbidden', `expected a page of this site or of SPILLWAY_ORIGINS, got one of ${origin}`);
  }
  if (!isOwnHost(host, config)) {
    throw new SpillwayError('forbidden', `expected a Host header that names this service, got ${host}`);
  }
}

function sameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
