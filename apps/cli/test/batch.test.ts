import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BatchResult, createClient } from '@spillway/client';
import { type Spillway, startSpillway, until } from '@spillway/testkit';

const PROGRAM = fileURLToPath(new URL('../bin/spillway.mjs', import.meta.url));

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway?.[Symbol.asyncDispose]());

async function run(args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, SPILLWAY_URL: spillway.url };
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (written.out += data));
  child.stderr.on('data', (data: Buffer) => (written.err += data));
  const [code] = await once(child, 'close');
  return { code, ...written };
}

async function fileOf(lines: readonly unknown[]): Promise<string> {
  const path = join(spillway.sandbox.folder, `${Math.random()}.ndjson`);
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
}

test('batch submit prints the id, and with --watch follows all jobs to the last end', async () => {
  const path = await fileOf(Array(300).fill({ type: 'demo.noop' }));
  const { code, out, err } = await run(['batch', 'submit', path, '--watch']);
  expect(code).toBe(0);
  expect(out).toMatch(/^batch\.[0-9A-Z]{26}\n$/);
  expect(err).toContain('300 of 300 completed');
  expect(await run(['batch', 'watch', out.trim()])).toMatchObject({ code: 0 });
});

test('batch submit tells refused lines by their number, and failed jobs by its exit code', async () => {
  const path = await fileOf([{ type: 'no.such' }, { type: 'demo.steps', input: { failAt: 1, stepMs: 0 } }]);
  const submitted = await run(['batch', 'submit', path]);
  expect(submitted.code).toBe(7);
  expect(submitted.err).toContain(`${path}:1: expected one of the registered types`);
  expect(submitted.err).toContain('1 of 2 jobs were refused');
  const watched = await run(['batch', 'watch', submitted.out.trim(), '--json']);
  expect(watched.code).toBe(3);
  expect(JSON.parse(watched.out.trim().split('\n').at(-1) ?? '')).toMatchObject({ kind: 'end', batch: { failed: 1 } });
});

test('with a type, each line is an input, and one that is no JSON is refused by its number', async () => {
  const path = await fileOf([
    { steps: 1, stepMs: 0 },
    { steps: 1, stepMs: 0, failAt: 1 },
  ]);
  await appendFile(path, '\n{"steps":');
  const submitted = await run(['batch', 'submit', 'demo.steps', `@${path}`, '--watch', '--json']);
  expect(submitted.code).toBe(3);
  expect(submitted.err).toContain(`${path}:3: `);
  const [reply, ...told] = submitted.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(reply).toMatchObject({ accepted: 2, refused: 1 });
  expect(told.at(-1)).toMatchObject({ kind: 'end', batch: { completed: 1, failed: 1 } });

  const id = String(reply?.id);
  const got = await run(['batch', 'get', id, '--json']);
  expect(JSON.parse(got.out)).toMatchObject({ id, total: 2, open: 0, active: 0, failed: 1 });
  expect((await run(['batch', 'get', id])).out).toContain('1 of 2 completed, 1 failed\n1 refused');
  const failures = await run(['batch', 'failures', id]);
  expect(failures.out).toContain('step 1 failed, as it was asked to');
  expect(await run(['batch', 'retry-failed', id])).toMatchObject({ code: 0, out: '1 wait again\n' });
  const cancelled = await run(['batch', 'cancel', id, '--reason', 'enough', '--json']);
  expect(JSON.parse(cancelled.out)).toMatchObject({ batch: id, cancelled: expect.any(Number) });
});

test('a file that is not there, and a batch that is not there, have their exit codes', async () => {
  expect(await run(['batch', 'submit', 'nowhere.ndjson'])).toMatchObject({ code: 2 });
  for (const verb of ['watch', 'get', 'failures', 'retry-failed', 'cancel'])
    expect(await run(['batch', verb, 'batch.01ARZ3NDEKTSV4RRFFQ69G5FAV'])).toMatchObject({ code: 5 });
});

test('the client submits, reads, retries and cancels a batch', async () => {
  const client = createClient({ baseUrl: spillway.url });
  const { batches } = client;
  const { id } = await batches.submit([
    { type: 'demo.noop' },
    { type: 'demo.steps', input: { failAt: 1, stepMs: 0 } },
    { type: 'demo.noop', options: { delayMs: 3_600_000 } },
  ]);
  const watch = client.watchAll({ batch: id });
  await until('the first ends', () => watch.aggregate?.completed === 1 && watch.aggregate.failed === 1);
  const results: BatchResult[] = [];
  for await (const result of batches.results(id)) results.push(result);
  expect(results.map(({ state }) => state).sort()).toEqual(['completed', 'delayed', 'failed']);
  expect((await batches.failures(id)).jobs).toMatchObject([{ type: 'demo.steps', error: { code: 'handler_failed' } }]);
  expect(await batches.retryFailed(id)).toBe(1);
  expect(await batches.cancel(id, { reason: 'enough' })).toMatchObject({ cancelled: expect.any(Number) });
  await until('the last end', () => watch.aggregate?.finishedAt !== undefined);
  expect(await batches.get(id)).toMatchObject({ total: 3, open: 0, completed: 1 });
  client.close();
});
