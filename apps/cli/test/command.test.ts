import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Spillway, startSpillway } from '@spillway/testkit';

const PROGRAM = fileURLToPath(new URL('../bin/spillway.mjs', import.meta.url));
const PHOTO = fileURLToPath(new URL('../../../docs/examples/photo.jpg', import.meta.url));
/** Longer than any test may take: still running when it is asked for, however slow the machine. */
const ENDLESS = '{"steps":1000,"stepMs":50}';

let spillway: Spillway;

beforeAll(async () => {
  spillway = await startSpillway();
});

afterAll(async () => {
  await spillway?.[Symbol.asyncDispose]();
});

test('submit prints the id of the new job and nothing else', async () => {
  const { code, out } = await run(['submit', 'demo.noop']);
  expect(code).toBe(0);
  expect(out).toMatch(/^demo\.[0-9A-Z]{26}\n$/);
});

test('submit --idempotency-key prints the same id again', async () => {
  const args = ['submit', 'demo.noop', '--idempotency-key', 'order-17'];
  const { out } = await run(args);
  expect((await run(args)).out).toBe(out);
});

test('submit --watch follows the job on standard error and prints its result', async () => {
  const { code, out, err } = await run(['submit', 'demo.steps', '-i', '{"steps":4,"stepMs":30}', '--watch']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ steps: 4 });
  expect(err).toContain('step 4 of 4 done');
  expect(err).toContain('completed in');
});

test('watch --json is one change a line, the whole job last', async () => {
  const id = await submit('{"steps":3,"stepMs":20}');
  const { code, out } = await run(['watch', id, '--json']);
  const changes = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; n?: number; job: unknown });
  expect(code).toBe(0);
  expect(changes.filter(({ kind }) => kind === 'log').map(({ n }) => n)).toEqual([0, 1, 2]);
  expect(changes.at(-1)).toMatchObject({ kind: 'end', job: { id, state: 'completed', result: { steps: 3 } } });
});

test('a watched job that fails is exit code 3 with its reason', async () => {
  const { code, out, err } = await run(['submit', 'demo.steps', '-i', '{"failAt":1,"stepMs":0}', '-w']);
  expect(code).toBe(3);
  expect(out).toBe('');
  expect(err).toContain('failed after attempt 1 of 1: step 1 failed, as it was asked to (handler_failed)');
});

test('a watched job that is cancelled is exit code 4', async () => {
  const { out } = await run(['submit', 'demo.steps', '--delay-ms', '60000']);
  const watching = start(['watch', out.trim()]);
  await watching.says('delayed');
  expect(await run(['cancel', out.trim()])).toMatchObject({ code: 0, out: `${out.trim()} cancelled\n` });
  expect(await watching.ended).toMatchObject({ code: 4 });
});

test('a running job is cancelled with a reason, which whoever watches it is told', async () => {
  const id = await submit(ENDLESS);
  const watching = start(['watch', id]);
  await watching.says('step 1 of 1000 done');
  expect(await run(['cancel', id, '--reason', 'wrong file'])).toMatchObject({
    code: 0,
    out: `${id} is being cancelled\n`,
  });
  const { code, err } = await watching.ended;
  expect(code).toBe(4);
  expect(err).toContain('cancelled by open: wrong file');
});

test('Ctrl-C stops watching, and the job goes on', async () => {
  const id = await submit(ENDLESS);
  const watching = start(['watch', id]);
  await watching.says('step 1 of 1000 done');
  watching.child.kill('SIGINT');
  const { code, err } = await watching.ended;
  expect(code).toBe(130);
  expect(err).toContain(`the job goes on: spillway watch ${id}`);
  expect(JSON.parse((await run(['get', id, '--json'])).out)).toMatchObject({ id, state: 'active' });
  await run(['cancel', id]);
});

test('--file uploads a file and puts its reference into the input', async () => {
  const { code, out } = await run([
    'submit',
    'image.variants',
    '-f',
    `source=${PHOTO}`,
    '-i',
    '{"widths":[64],"formats":["webp"]}',
    '-w',
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ variants: [{ width: 64, format: 'webp' }] });
});

test('log --follow prints every line to the end', async () => {
  const id = await submit('{"steps":5,"stepMs":20}');
  const { code, out } = await run(['log', id, '--follow']);
  expect(code).toBe(0);
  expect(out.trim().split('\n')).toEqual([1, 2, 3, 4, 5].map((step) => `step ${step} of 5 done`));
  expect((await run(['log', id])).out).toBe(out);
});

test('lists are tables for people and a document a line for scripts', async () => {
  await run(['submit', 'demo.noop', '--tag', 'listed', '-w']);
  const table = await run(['ls', '--tag', 'listed']);
  expect(table.out).toMatch(/^ID +TYPE +STATE/);
  expect(table.out).toMatch(/demo\.noop +completed/);
  const [job] = (await run(['ls', '--tag', 'listed', '--json'])).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(job).toMatchObject({ type: 'demo.noop', tags: ['listed'] });
  expect((await run(['types'])).out).toContain('image.variants');
  expect((await run(['types', 'demo.steps'])).out).toContain('stepMs');
  expect((await run(['workers'])).out).toMatch(/demo 10/);
});

test('a schedule is set, listed, triggered, paused and removed', async () => {
  const set = await run(['schedules', 'set', 'nightly', 'demo.noop', '--cron', '0 2 * * *', '--limit', '2']);
  expect([set.code, set.out]).toEqual([0, expect.stringMatching(/^(next [^\n]+T02:00:00.000Z\n){2}$/)]);
  const { out: id } = await run(['schedule', 'trigger', 'nightly']);
  expect((await run(['ls', '--schedule', 'nightly'])).out).toContain(id.trim());
  expect((await run(['schedules', 'pause', 'nightly'])).out).toBe('nightly paused\n');
  expect((await run(['schedules'])).out).toMatch(/nightly +demo.noop +0 2 \* \* \* +paused/);
  expect((await run(['schedules', 'resume', 'nightly'])).out).toContain('nightly goes on; next ');
  expect((await run(['schedules', 'rm', 'nightly'])).code).toBe(0);
  expect((await run(['schedules', 'resume', 'nightly'])).code).toBe(5);
});

test('help and version are no errors', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes:') });
  expect(await run(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test('a queue is paused and resumed', async () => {
  expect((await run(['queues', 'pause', 'data'])).out).toBe('data is paused\n');
  expect((await run(['queues'])).out).toMatch(/data +paused/);
  expect((await run(['queues', 'resume', 'data'])).out).toBe('data runs\n');
});

test('a queue is drained, with a reason, of what waits for its time only when that is asked for', async () => {
  const { out } = await run(['submit', 'demo.noop', '--delay-ms', '600000']);
  expect((await run(['queues', 'drain', 'demo'])).out).toBe('demo is drained: 0 cancelled\n');
  const drained = await run(['queues', 'drain', 'demo', '--delayed', '--reason', 'a wrong import', '--json']);
  expect(JSON.parse(drained.out)).toEqual({ queue: 'demo', cancelled: expect.any(Number) });
  expect((await run(['get', out.trim()])).out).toContain('a wrong import');
});

test.each([
  ['JSON that is none', ['submit', 'demo.steps', '-i', '{"a":}'], 2, 'at line 1, column 6'],
  ['an unknown command', ['submti'], 2, "unknown command 'submti'"],
  ['a number that is none', ['ls', '--limit', 'many'], 2, 'Expected a whole number'],
  ['an address that is none', ['ls', '--url', 'nowhere'], 2, '--url: expected an address'],
  ['an unknown type', ['submit', 'demo.nope'], 5, 'unknown_type'],
  ['an unknown job', ['watch', 'demo.01JD2V9K8Q4W5X6Y7Z8A9B0C1D'], 5, 'job_not_found'],
  [
    'a server that is not there',
    ['ls', '--url', 'http://127.0.0.1:9'],
    6,
    'Cannot reach Spillway at http://127.0.0.1:9',
  ],
  ['an input that does not fit', ['submit', 'demo.steps', '-i', '{"steps":"x"}'], 7, '/input/steps expected'],
])('%s has its exit code and says why', async (_what, args, code, message) => {
  const ended = await run(args);
  expect(ended).toMatchObject({ code, out: '' });
  expect(ended.err).toContain(message);
});

test('with --json an error is a document too', async () => {
  const { err } = await run(['get', 'demo.01JD2V9K8Q4W5X6Y7Z8A9B0C1D', '--json']);
  expect(JSON.parse(err)).toMatchObject({ error: { code: 'job_not_found', status: 404 } });
});

async function submit(input: string): Promise<string> {
  return (await run(['submit', 'demo.steps', '-i', input])).out.trim();
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function run(args: string[]): Promise<Ended> {
  return start(args).ended;
}

/** The command as a process of its own. `says` waits until it has written the text. */
function start(args: string[]): { child: ChildProcess; ended: Promise<Ended>; says(text: string): Promise<void> } {
  const env = { ...process.env, SPILLWAY_URL: spillway.url };
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (written.out += data));
  child.stderr.on('data', (data: Buffer) => (written.err += data));
  return {
    child,
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...written })),
    async says(text) {
      while (!(written.out + written.err).includes(text)) await once(child.stderr, 'data');
    },
  };
}
