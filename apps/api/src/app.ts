import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { AJV_OPTIONS, type Config, type HandOver, type Keys, type Logger } from '@spillway/runtime';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type RawServerDefault } from 'fastify';
import { registerAccess } from './plugins/access.ts';
import { answerBadHttp, answerBeforeRouting, registerErrors } from './plugins/errors.ts';
import { registerJsonBody } from './plugins/json-body.ts';
import { lazySerializers, lazyValidators } from './plugins/lazy-compilers.ts';
import { registerLive } from './plugins/live.ts';
import { registerMetrics } from './plugins/metrics.ts';
import { registerOpenApi } from './plugins/openapi.ts';
import { registerPages } from './plugins/pages.ts';
import { makeRequestId, registerRequestId } from './plugins/request-id.ts';
import { registerRoutes } from './routes/index.ts';
import type { Services } from './services.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface AppSetup {
  config: Config;
  logger: Logger;
  keys: Keys;
  services: Services;
  /** Where status answers; live connections are forwarded there, or handed over where somebody takes them. */
  statusUrl: string;
  handOver: HandOver;
}

/** The address and all headers of a request; Node's own default, said here because docs/limits.md does. */
const HEADERS_MAX_BYTES = 16_384;
/** How long a request may take to arrive whole: a large upload over a slow line, but not for ever. */
const REQUEST_MS = 600_000;

/** Builds the HTTP application, not listening yet. The order is the order in which things run. */
export async function buildApp(setup: AppSetup): Promise<App> {
  const app: App = Fastify({
    loggerInstance: setup.logger as FastifyBaseLogger,
    // One line a request would cost more than the request; metrics count them, and failures are logged.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    genReqId: makeRequestId,
    bodyLimit: setup.config.bodyLimitBytes,
    requestTimeout: REQUEST_MS,
    // What a parameter may be is said by its schema, whose refusal names it.
    routerOptions: { maxParamLength: HEADERS_MAX_BYTES },
    frameworkErrors: answerBeforeRouting,
    clientErrorHandler: answerBadHttp,
    http: { maxHeaderSize: HEADERS_MAX_BYTES },
    // The schemas are the routes' own, which the check of the contract has seen.
    ajv: { customOptions: { ...AJV_OPTIONS, validateSchema: false } },
    schemaController: { compilersFactory: { buildSerializer: lazySerializers, buildValidator: lazyValidators } },
    // A client that keeps its connection must not hold up a stop.
    forceCloseConnections: 'idle',
  }).withTypeProvider<TypeBoxTypeProvider>();

  registerJsonBody(app);
  registerRequestId(app);
  registerErrors(app);
  registerAccess(app, { ...setup, ...setup.services });
  registerMetrics(app, setup.services.metrics);
  registerLive(app, setup);
  await registerOpenApi(app);
  await registerRoutes(app, setup);
  await registerPages(app);
  return app;
}
