import cors from '@fastify/cors';
import { endedToken, type Scope, SpillwayError, unknownBatch, unknownJob } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import {
  bearerOf,
  type Caller,
  type Config,
  covers,
  isOwnHost,
  type Keys,
  mayUse,
  type Token,
  type Tokens,
} from '@spillway/runtime';
import type { FastifyRequest } from 'fastify';
import type { App } from '../app.ts';

/**
 * How a route takes a watch token: `watch` and `command` for what it does to the job in its path, which the token must
 * name, `batch` for the batch in its path; `any`, `refresh` and `revoke` see to the rest themselves, and `revoke` takes one that is revoked already as well.
 */
export type TokenUse = 'watch' | 'command' | 'batch' | 'any' | 'refresh' | 'revoke';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls: the key, or the name of the key that the token was made with. */
    caller: Caller | undefined;
    /** The watch token that the caller shows instead of a key. */
    token: Token | undefined;
  }
  interface FastifyContextConfig {
    /** What a key needs to use the route. Routes without it are open to everyone. */
    scope?: Scope;
    /** How the route takes a watch token. Routes without it answer 403 to every token. */
    token?: TokenUse;
  }
}

interface AccessSetup {
  config: Config;
  keys: Keys;
  tokens: Tokens;
  reader: Reader;
}

/** Who may call: keys and scopes, watch tokens for their own jobs, and which sites' pages. */
export function registerAccess(app: App, { config, keys, tokens, reader }: AccessSetup): void {
  if (config.origins.length > 0) {
    app.register(cors, {
      origin: config.origins,
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['x-request-id', 'location', 'retry-after', 'idempotent-replayed'],
    });
  }
  app.decorateRequest('caller', undefined);
  app.decorateRequest('token', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    const { scope } = request.routeOptions.config;
    if (!scope) return done();
    try {
      assertOwnPage(request, config, keys);
      identify(request, tokens, scope);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('onRoute', (route) => {
    const use = route.config?.token;
    if (use !== 'watch' && use !== 'command' && use !== 'batch') return;
    const check = async ({ token, params }: FastifyRequest) => {
      const { id } = params as { id: string };
      if (token) await (use === 'batch' ? assertNamed(token, id) : assertCovered(token, id, reader));
    };
    route.preHandler = [check, ...[route.preHandler ?? []].flat()];
  });
}

function identify(request: FastifyRequest, tokens: Tokens, scope: Scope): void {
  const { token: use } = request.routeOptions.config;
  const presented = tokens.identify(bearerOf(request.headers.authorization));
  if (presented.kind === 'key') {
    request.caller = withScope(presented.caller, scope);
    return;
  }
  // To revoke a token twice is harmless.
  const revokedAgain = use === 'revoke' && presented.kind === 'refused' && presented.why === 'revoked';
  if (presented.kind === 'refused' && !revokedAgain) throw refusal(request, presented.why);
  assertTaken(presented.token, use, scope);
  request.token = presented.token;
  request.caller = { name: presented.token.holder, scopes: new Set() };
}

function withScope(caller: Caller, scope: Scope): Caller {
  if (mayUse(caller, scope)) return caller;
  throw new SpillwayError('forbidden', `expected a key with the scope ${scope}, got ${[...caller.scopes].join(', ')}`);
}

function refusal({ headers }: FastifyRequest, why: 'none' | 'unknown' | 'expired' | 'revoked'): SpillwayError {
  if (why === 'expired' || why === 'revoked') return endedToken(why);
  return new SpillwayError(
    'unauthorized',
    `expected a valid key in \`Authorization: Bearer <key>\`, got ${headers.authorization ? 'one that is not known' : 'none'}`,
  );
}

/** Says nothing about the job, so it may come before the look at it. */
function assertTaken({ rights }: Token, use: TokenUse | undefined, scope: Scope): void {
  if (!use) throw new SpillwayError('forbidden', `expected a key with the scope ${scope}, got a watch token`);
  if (use === 'command' && rights.may !== 'command')
    throw new SpillwayError('forbidden', 'expected a token that may command, got one that may watch');
}

/** @throws SpillwayError `job_not_found` for a job that the token does not name, as for one that does not exist. */
async function assertCovered({ rights }: Token, id: string, reader: Reader): Promise<void> {
  if (rights.jobs.includes(id)) return;
  const byRecord = rights.batches.length > 0 || rights.tags.length > 0;
  if (!byRecord || !covers(rights, await reader.job(id))) throw unknownJob(id);
}

/** @throws SpillwayError `batch_not_found` for a batch that the token does not name, as for one that does not exist. */
async function assertNamed({ rights }: Token, batch: string): Promise<void> {
  if (!rights.batches.includes(batch)) throw unknownBatch(batch);
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
