import { createHash } from 'node:crypto';
import { ERRORS, type Problem, type SubmitReply, type TokenReply } from '@spillway/contracts';
import type { Redis } from '@spillway/queue/connection';
import { call, type RedisServer, type Spillway, startRedis, startSpillway, until } from '@spillway/testkit';
import fc from 'fast-check';
import { type Known, MARKER, type OpenApi, oddRequests } from './odd-requests.ts';
import { OF_ITSELF } from './of-itself.ts';
import { isTruncated, type RawReply, type RawRequest, sendRaw } from './raw-http.ts';

/** FUZZ_SEED and FUZZ_REQUESTS take the test elsewhere and further; a failure names its seed. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_123);
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 400);
const DEADLINE_MS = 8000;
/** What a problem may repeat of a request, and all else that it says. */
const PROBLEM_MAX_CHARS = 16_384;

const KEY = 'sw_fuzz-key-of-all';
const READER = 'sw_fuzz-key-of-a-reader';
const keyEntry = (name: string, scopes: string, key: string) =>
  `${name}:${scopes}:${createHash('sha256').update(key).digest('hex')}`;

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

test.each([
  ['without keys', {}],
  ['with keys', { SPILLWAY_KEYS: [keyEntry('all', 'admin', KEY), keyEntry('eye', 'read', READER)].join() }],
])(
  'whatever is sent to an api %s is answered or refused in good order',
  async (_name, env) => {
    await using spillway = await startSpillway({ redisUrl: server.url, env });
    const known = await furnish(spillway);
    const redis = await server.connect();
    const openApi = (await call<OpenApi>(spillway.url, 'GET', '/openapi.json')).body;
    const requests = fc.sample(oddRequests(openApi, known), { seed: SEED, numRuns: REQUESTS });
    const faults: string[] = [];
    for (const [index, request] of requests.entries()) {
      const fault = await faultOf(spillway, redis, request);
      if (fault) faults.push(`request ${index} of seed ${SEED}: ${fault}\n${shown(request)}`);
    }
    expect(faults).toEqual([]);
    for (const { name, output } of [spillway.api, spillway.status]) expect([name, output()]).not.toContain(MARKER);
    for (const secret of [KEY, READER, ...known.credentials]) {
      expect(spillway.api.output()).not.toContain(secret);
      expect(spillway.status.output()).not.toContain(secret);
    }
    expect((await submit(spillway, {})).status).toBe(202);
  },
  120_000,
);

/** Jobs and credentials for the requests to hit upon. No worker is left that would change anything meanwhile. */
async function furnish(spillway: Spillway): Promise<Known> {
  await until('the types are registered', async () => (await submit(spillway, {})).status === 202);
  const jobs = await Promise.all([submit(spillway, { delayMs: 3_000_000 }), submit(spillway, { delayMs: 3_000_001 })]);
  const ids = jobs.map(({ body }) => body.id);
  const token = await call<TokenReply>(spillway.url, 'POST', '/v1/tokens', { jobs: ids.slice(0, 1) }, AUTHORIZED);
  for (const worker of spillway.workers) await worker.stop();
  return {
    ids,
    types: ['demo.noop', 'demo.noop', 'demo.noop', 'demo.steps', 'image.variants'],
    queues: ['demo', 'images'],
    credentials: [KEY, KEY, KEY, KEY, READER, token.body.token].map((bearer) => `Bearer ${bearer}`),
  };
}

const AUTHORIZED = { authorization: `Bearer ${KEY}` };

function submit({ url }: Spillway, options: object) {
  return call<SubmitReply>(url, 'POST', '/v1/jobs', { type: 'demo.noop', options }, AUTHORIZED);
}

/** What is wrong with how the request was dealt with, if anything is. */
async function faultOf({ url, api, status }: Spillway, redis: Redis, request: RawRequest): Promise<string | undefined> {
  const before = await stored(redis);
  const reply = await sendRaw(url, request, DEADLINE_MS).catch((error: Error) => error);
  if (reply instanceof Error) return reply.message;
  for (const { name, hasEnded, output } of [api, status])
    if (hasEnded()) return `${name} ended: ${output().slice(-2000)}`;
  const fault = faultOfReply(request, reply);
  if (fault) return `${fault}: ${reply.status} ${reply.body.slice(0, 400)}`;
  const after = await stored(redis);
  if (reply.status >= 400 && after > before)
    return `it was refused with ${reply.status}, and ${after - before} was stored`;
  return undefined;
}

/** Keys that there are, but for those that services renew by themselves, and events that were ever told. */
async function stored(redis: Redis): Promise<number> {
  const keys = (await redis.keys('*')).filter((key) => !OF_ITSELF.test(key));
  const streams = keys.filter((key) => key.endsWith('}:events'));
  const lengths = await Promise.all(streams.map((name) => redis.xlen(name)));
  return lengths.reduce((sum, length) => sum + length, keys.length);
}

function faultOfReply(request: RawRequest, { status, headers, body }: RawReply): string | undefined {
  if (status === 0) return mayGoUnanswered(request) ? undefined : 'it was not answered';
  if (status >= 500) return 'expected no server error';
  if (status < 400 || request.method === 'HEAD') return undefined;
  if (headers.get('content-type') !== 'application/problem+json') return 'expected a problem document';
  const problem = JSON.parse(body) as Problem;
  const known = (ERRORS as Record<string, { status: number }>)[problem.code];
  if (known?.status !== status || problem.status !== status) return 'expected a known code with its own status';
  // A field that is unknown or missing is named, which says what came.
  if (!/\bexpected\b.*\bgot\b|is not a known field; expected|is required/is.test(problem.detail))
    return 'expected a detail that says what was expected and what came';
  if (body.length > PROBLEM_MAX_CHARS) return `expected at most ${PROBLEM_MAX_CHARS} characters, got ${body.length}`;
  return undefined;
}

/** Nobody is left to answer where the client leaves in the middle. */
function mayGoUnanswered(request: RawRequest): boolean {
  return isTruncated(request);
}

function shown({ method, target, headers, body }: RawRequest): string {
  const lines = [`${method} ${target}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return [...lines, '', body.toString('latin1')].map((line) => line.slice(0, 500)).join('\n');
}
