export { call, type Reply } from './http.ts';
export { type FaultProxy, openProxy } from './proxy.ts';
export { type RedisServer, startRedis } from './redis-server.ts';
export { openSandbox, redisUrl, type Sandbox } from './sandbox.ts';
export { type ServiceName, type ServiceProcess, startService } from './service-process.ts';
export { type Spillway, type SpillwayOptions, startSpillway } from './spillway.ts';
export { until } from './until.ts';
