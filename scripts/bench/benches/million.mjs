import { Queue } from 'bullmq';
import { payload } from '../payload.mjs';
import { plain } from '../systems/plain.mjs';
import { spillway } from '../systems/spillway.mjs';

/** What a command may take at most, whatever the size of the queue: Redis serves nobody else meanwhile. */
const COMMAND_MS_MAX = 20;
/** Jobs whose records are written in one pipeline. */
const CHUNK = 2_000;
/** Commands quicker than this are not told apart. */
const NOTICED_US = 50;
const BULLMQ_PAGE = 100;

/** Calls with their figures' names. Those that change much come last. */
const CALLS = [
  { key: 'counts', title: 'GET /v1/queues' },
  { key: 'metrics', title: 'GET /metrics' },
  { key: 'submit', title: 'POST /v1/jobs' },
  { key: 'get', title: 'GET /v1/jobs/:id, in the middle' },
  { key: 'list', title: 'GET /v1/jobs?limit=100' },
  { key: 'waiting', title: 'GET /v1/jobs?state=waiting, first page' },
  { key: 'deep', title: '… page 5,000' },
  { key: 'failed', title: 'GET /v1/jobs?state=failed' },
  { key: 'cancelled', title: 'GET /v1/jobs?state=cancelled: none there' },
  { key: 'type', title: 'GET /v1/jobs?type=…: rare' },
  { key: 'tag', title: 'GET /v1/jobs?tag=…' },
  { key: 'pause', title: 'POST /v1/queues/:name/pause' },
  { key: 'resume', title: 'POST /v1/queues/:name/resume' },
  { key: 'priority', title: 'PATCH /v1/jobs/:id priority, in the middle' },
  { key: 'delay', title: 'PATCH /v1/jobs/:id delayMs, in the middle' },
  { key: 'promote', title: 'POST /v1/jobs/:id/promote' },
  { key: 'cancel', title: 'POST /v1/jobs/:id/cancel, in the middle' },
  { key: 'cancelOldest', title: '… the next to start' },
  { key: 'cancelMoved', title: '… where its id does not tell' },
  { key: 'remove', title: 'DELETE /v1/jobs/:id, in the middle' },
  { key: 'retry', title: 'POST /v1/jobs/:id/retry' },
  { key: 'retryFailed', title: 'POST /v1/queues/:name/retry-failed, 1,000' },
  { key: 'clean', title: 'POST /v1/queues/:name/clean, 1,000 completed' },
  { key: 'drain', title: 'POST /v1/queues/:name/drain, 10,000 (BullMQ: all)' },
];

export const million = {
  name: 'million',
  scenarios({ quick }) {
    const sizes = quick ? { waiting: 50_000, ended: 5_000 } : { waiting: 1_000_000, ended: 100_000 };
    const count = (number) => number.toLocaleString('en');
    return [
      {
        id: 'million',
        title: `Calls at ${count(sizes.waiting)} waiting, ${count(sizes.ended)} completed and ${count(sizes.ended)} failed jobs`,
        systems: [
          { ...plain, create: (...given) => ({ ...plain.create(...given), million: runPlain }) },
          { ...spillway, create: (...given) => ({ ...spillway.create(...given), million: runSpillway }) },
        ],
        targets: CALLS.map(({ key }) => ({ key: `${key}Command`, valueMax: COMMAND_MS_MAX })),
        rows: CALLS.flatMap(({ key, title }) => [
          { key: `${key}Command`, title: `${title}: longest command, ms`, digits: 2, ratio: false },
          { key: `${key}Reply`, title: `${title}: reply, ms`, digits: 1, ratio: false },
        ]),
        measure: ({ stage, redis, system }) => system.million({ stage, redis, system, sizes }),
      },
    ];
  },
};

/** Runs one call and tells how long it took, and the longest command that Redis served for it. */
function watch(redis) {
  const values = {};
  return {
    values,
    async call(key, run) {
      await redis.client.slowlog('RESET');
      const startedAt = performance.now();
      const found = await run();
      const replyMs = performance.now() - startedAt;
      const entries = await redis.client.slowlog('GET', -1);
      // Our own questions are no part of the call.
      const commands = entries.filter(([, , , [name]]) => !/^(slowlog|config|info)$/i.test(name));
      const longestMs = Math.max(NOTICED_US, ...commands.map(([, , micros]) => micros)) / 1000;
      // Some calls are made several times, on different jobs: the worst one counts.
      values[`${key}Command`] = Math.max(values[`${key}Command`] ?? 0, longestMs);
      values[`${key}Reply`] = Math.max(values[`${key}Reply`] ?? 0, replyMs);
      return found;
    },
  };
}

async function openWatch(redis) {
  await redis.client.config('SET', 'slowlog-log-slower-than', NOTICED_US, 'slowlog-max-len', 5_000);
  return watch(redis);
}

/**
 * Writes the jobs as each system stores them, past its front door, which is measured elsewhere. `idOf` names the job of a
 * number: first those that have completed, then the failed ones, then the line from its end on.
 */
async function store(redis, base, { waiting, ended }, { idOf, name }) {
  const total = waiting + 2 * ended;
  const firstMs = Date.now() - total;
  for (let from = 0; from < total; from += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, total - from) }, (_, index) => from + index);
    const pipeline = redis.client.pipeline();
    for (const number of numbers)
      storeOne(pipeline, base, { number, id: idOf(number), name, at: firstMs + number, ended });
    const failure = (await pipeline.exec()).find(([error]) => error);
    if (failure) throw failure[0];
  }
}

const DATA = JSON.stringify(payload);

function storeOne(pipeline, base, { number, id, name, at, ended }) {
  const isTagged = number % 10 === 0;
  const opts = isTagged ? '{"tags":["tenth"]}' : '{}';
  const record = ['name', name, 'data', DATA, 'opts', opts, 'timestamp', at, 'delay', 0, 'priority', 0];
  if (isTagged) pipeline.zadd(`${base}label:tag:tenth`, at, id);
  if (number >= 2 * ended) {
    pipeline.lpush(`${base}wait`, id).hset(base + id, ...record);
    return;
  }
  const isFailed = number >= ended;
  const end = isFailed ? ['failedReason', 'handler_failed: no'] : ['returnvalue', 'null'];
  pipeline.zadd(base + (isFailed ? 'failed' : 'completed'), at, id);
  pipeline.hset(base + id, ...record, 'processedOn', at, 'finishedOn', at, 'ats', 1, 'atm', 1, ...end);
}

/** The first ten characters of a ULID, which sort as time does. */
function ulidTime(ms) {
  const digits = [...ms.toString(32)].map((digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number.parseInt(digit, 32)]);
  return digits.join('').padStart(10, '0');
}

/** Numbers of jobs in the middle of the line, far enough from each other. */
const middles = ({ waiting, ended }) => [0.4, 0.5, 0.6].map((share) => 2 * ended + Math.floor(waiting * share));

async function runSpillway({ redis, system, sizes }) {
  const base = 'spillway:{demo}:';
  const { waiting, ended } = sizes;
  const firstMs = Date.now() - waiting - 2 * ended;
  const idOf = (number) => `demo.${ulidTime(firstMs + number)}${String(number).padStart(16, '0')}`;
  await system.startServer();
  await system.prepare();
  await store(redis, base, sizes, { idOf, name: 'demo.noop' });
  // One that has come back to the line after others which are newer.
  const moved = `demo.${ulidTime(firstMs - 3_600_000)}${'M'.repeat(16)}`;
  await redis.client.hset(base + moved, 'name', 'demo.noop', 'data', '{}', 'opts', '{}', 'timestamp', firstMs);
  await redis.client.linsert(`${base}wait`, 'BEFORE', idOf(2 * ended + Math.floor(waiting * 0.45)), moved);

  const { url, headers } = system.submit('noop');
  const api = url.slice(0, -'/v1/jobs'.length);
  const ask = async (method, path, body) => {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const kept = body === undefined ? { authorization: headers.authorization } : headers;
    const reply = await fetch(api + path, { method, headers: kept, ...sent });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: expected an answer, but got ${reply.status}: ${text}`);
    return text;
  };
  const { call, values } = await openWatch(redis);
  // The first call of a kind pays for what is loaded once, in api and in Redis.
  const twice = async (key, method, path, body) => {
    await ask(method, path, body);
    return call(key, () => ask(method, path, body));
  };
  const job = (number, part = '') => `/v1/jobs/${idOf(number)}${part}`;
  const [low, middle, high] = middles(sizes);
  const deep = Buffer.from(JSON.stringify({ section: 1, queue: 0, at: Math.floor(waiting / 2) })).toString('base64url');
  const list = '/v1/jobs?queue=demo&limit=100';

  await twice('counts', 'GET', '/v1/queues');
  await twice('metrics', 'GET', '/metrics');
  await twice('submit', 'POST', '/v1/jobs', system.submit('noop').body);
  await twice('get', 'GET', job(middle));
  await twice('list', 'GET', list);
  await twice('waiting', 'GET', `${list}&state=waiting`);
  await twice('deep', 'GET', `${list}&state=waiting&cursor=${deep}`);
  await twice('failed', 'GET', `${list}&state=failed`);
  await twice('cancelled', 'GET', `${list}&state=cancelled`);
  await twice('type', 'GET', `${list}&type=demo.steps`);
  await twice('tag', 'GET', '/v1/jobs?tag=tenth&limit=100');
  await twice('pause', 'POST', '/v1/queues/demo/pause');
  await twice('resume', 'POST', '/v1/queues/demo/resume');
  for (const number of [low, middle, high]) {
    await call('priority', () => ask('PATCH', job(number + 1), { priority: 7 }));
    await call('delay', () => ask('PATCH', job(number + 2), { delayMs: 600_000 }));
    await call('promote', () => ask('POST', job(number + 2, '/promote')));
    await call('cancel', () => ask('POST', job(number + 3, '/cancel')));
    await call('remove', () => ask('DELETE', job(number + 4)));
    await call('cancelOldest', () => ask('POST', job(2 * ended + number - low, '/cancel')));
  }
  await call('cancelMoved', () => ask('POST', `/v1/jobs/${moved}/cancel`));
  await call('retry', () => ask('POST', job(ended + Math.floor(ended / 2), '/retry')));
  await twice('retryFailed', 'POST', '/v1/queues/demo/retry-failed', { limit: 1_000 });
  await twice('clean', 'POST', '/v1/queues/demo/clean', { state: 'completed', limit: 1_000 });
  await twice('drain', 'POST', '/v1/queues/demo/drain', {});
  return values;
}

async function runPlain({ redis, sizes }) {
  const { waiting, ended } = sizes;
  const idOf = (number) => String(number + 1);
  await store(redis, 'bull:jobs:', sizes, { idOf, name: 'noop' });
  await redis.client.set('bull:jobs:id', waiting + 2 * ended);
  const queue = new Queue('jobs', { connection: { url: redis.url } });
  try {
    await queue.waitUntilReady();
    const { call, values } = await openWatch(redis);
    const twice = async (key, run) => {
      await run();
      return call(key, run);
    };
    const page = (from) => [from, from + BULLMQ_PAGE - 1];
    const [low, middle, high] = middles(sizes);
    await twice('counts', () => queue.getJobCounts());
    await twice('submit', () => queue.add('noop', payload));
    const read = async () => (await queue.getJob(idOf(middle))).getState();
    await twice('get', read);
    await twice('waiting', () => queue.getJobs(['waiting'], ...page(0)));
    await twice('deep', () => queue.getJobs(['waiting'], ...page(Math.floor(waiting / 2))));
    await twice('failed', () => queue.getJobs(['failed'], ...page(0)));
    await twice('pause', () => queue.pause());
    await twice('resume', () => queue.resume());
    for (const number of [low, middle, high]) {
      const job = await queue.getJob(idOf(number + 1));
      await call('priority', () => job.changePriority({ priority: 7 }));
      await call('remove', () => queue.remove(idOf(number + 2)));
    }
    const delayed = await queue.add('noop', payload, { delay: 600_000 });
    await call('promote', () => delayed.promote());
    const failed = await queue.getJob(idOf(ended + Math.floor(ended / 2)));
    await call('retry', () => failed.retry());
    await call('clean', () => queue.clean(0, 1_000, 'completed'));
    // It asks for them a thousand at a time, until there are none.
    await call('retryFailed', () => queue.retryJobs({ count: 1_000 }));
    await call('drain', () => queue.drain());
    return values;
  } finally {
    await queue.close();
  }
}
