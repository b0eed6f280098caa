import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { JobEvent, SubmitReply } from '@spillway/contracts';
import { call, startSpillway, until } from '@spillway/testkit';
import { connect } from './watcher.ts';

const ROOT = resolve(__dirname, '../../..');

/** A job that says which attempt speaks, and goes on whatever its signal says. The first one goes on for longest. */
const STUBBORN = `import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { defineJob } from '@spillway/worker';
import { Type } from '@spillway/schema';

export const stubborn = defineJob({
  type: 'test.stubborn',
  input: Type.Object({ ended: Type.String() }),
  async run({ input, attempt, log, output, progress }) {
    for (let n = 0; n < (attempt === 1 ? 60 : 40); n += 1) {
      log(attempt + '/' + n);
      output({ attempt, n });
      progress(n / 100, 'attempt ' + attempt);
      await setTimeout(50);
    }
    await writeFile(input.ended + attempt, '');
    return { attempt };
  },
});
`;

async function jobFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-zombie-'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'stubborn.mjs'), STUBBORN);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const linesOf = (events: readonly JobEvent[]) =>
  events.flatMap((event) => (event.kind === 'report' ? (event.log ?? []).map(({ line }) => line) : []));

/** Each attempt's lines stand together, the first one's before the second one's. */
function expectNothingFromTheGrave(lines: readonly string[]): void {
  const second = lines.findIndex((line) => line.startsWith('2/'));
  expect(second).toBeGreaterThan(0);
  expect(lines.slice(second)).toEqual(Array.from({ length: 40 }, (_, n) => `2/${n}`));
}

test('a worker that slept past its lease goes on reporting and completes, and nobody sees anything of it', async () => {
  await using jobs = await jobFolder();
  await using spillway = await startSpillway({ env: { SPILLWAY_JOBS: jobs.folder, WORKER_PROCESSES: '1' } });
  await using watcher = await connect(spillway.status.url);
  const ended = join(jobs.folder, 'ended-');
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', {
    type: 'test.stubborn',
    input: { ended },
  });
  await watcher.watch(body.id);
  await until('the first attempt', () => linesOf(watcher.events).length > 0);
  const zombie = spillway.workers[0]?.pid ?? 0;
  process.kill(zombie, 'SIGSTOP');
  try {
    await spillway.addWorker();
    await until('the second attempt', () => linesOf(watcher.events).some((line) => line.startsWith('2/')), 60_000);
  } finally {
    process.kill(zombie, 'SIGCONT');
  }
  await until('the end of both', () => existsSync(`${ended}1`) && existsSync(`${ended}2`));
  const isEnd = (event: JobEvent) => event.kind === 'state' && event.state === 'completed';
  await until('the end', () => watcher.events.some(isEnd));
  expect(watcher.events.filter(isEnd)).toMatchObject([{ result: { attempt: 2 } }]);
  expectNothingFromTheGrave(linesOf(watcher.events));
  const { body: log } = await call<{ lines: { line: string }[] }>(spillway.url, 'GET', `/v1/jobs/${body.id}/log`);
  expectNothingFromTheGrave(log.lines.map(({ line }) => line));
  const { body: output } = await call<{ chunks: { chunk: { attempt: number } }[] }>(
    spillway.url,
    'GET',
    `/v1/jobs/${body.id}/output`,
  );
  expect(output.chunks.slice(-40).every(({ chunk }) => chunk.attempt === 2)).toBe(true);
  const { body: job } = await call(spillway.url, 'GET', `/v1/jobs/${body.id}`);
  expect(job).toMatchObject({
    state: 'completed',
    attempt: 2,
    result: { attempt: 2 },
    progress: { message: 'attempt 2' },
  });
}, 120_000);
