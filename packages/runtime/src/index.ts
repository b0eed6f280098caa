export { ConfigError, checkBind, isLoopback, isOwnHost, readConfig } from './config.ts';
export { createHandOver, type HandOver, takeHandedOver } from './hand-over.ts';
export { beat, checkReadiness, type HealthCheck, type Readiness } from './health.ts';
export { bearerOf, type Caller, type Keys, mayUse, OPEN_CALLER, parseKeys } from './keys.ts';
export { createLogger, type Logger, serializeError } from './logger.ts';
export { Counter, createRegistry, Gauge, Histogram, type Registry } from './metrics.ts';
export { type RunningService, runService, type ServiceSetup } from './service.ts';
export { type Config, SETTINGS, type Setting } from './settings.ts';
export {
  covers,
  createTokens,
  type MintedToken,
  type Rights,
  type Token,
  type Tokens,
} from './tokens.ts';
export {
  AJV_OPTIONS,
  checkSchema,
  compileSchema,
  describeErrors,
  type Validate,
  type ValueProblem,
} from './validation.ts';
export { VERSION } from './version.ts';
