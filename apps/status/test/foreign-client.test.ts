import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Job, SubmitReply } from '@spillway/contracts';
import { call, openProxy, startSpillway, until } from '@spillway/testkit';

/** Debian's own Python, where its packages are; another one can be named. */
const PYTHON = process.env.PYTHON || '/usr/bin/python3';
const NEEDS = 'python3-socketio and python3-aiohttp';

/** What `fixtures/watch-job.py` prints in the end. */
interface Told {
  job: Job;
  log: [n: number, line: string][];
  output: [n: number, chunk: { n: number }][];
  connects: number;
}

const hasPython = spawnSync(PYTHON, ['-c', 'import socketio, aiohttp']).status === 0;
if (!hasPython && process.env.CI) throw new Error(`expected ${PYTHON} (or PYTHON) to import ${NEEDS}`);
if (!hasPython) console.warn(`The foreign client is not tested: install ${NEEDS}, or name a Python by PYTHON=<path>.`);
const withPython = hasPython ? describe : describe.skip;

withPython('a client in Python, written from docs/live-protocol.md', () => {
  test('watches a job to its end from another process, through a broken connection', async () => {
    await using spillway = await startSpillway({
      env: { SPILLWAY_JOBS: join(__dirname, 'fixtures/numbered-lines.ts') },
    });
    await using line = await openProxy([spillway.url]);
    const input = { seed: 'abc', steps: 100, stepMs: 30 };
    const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.lines', input });
    const python = startPython(line.url, body.id);
    await until('the first answer', () => python.said().includes('watching'));
    line.reset();
    const told = await python.end();
    expect(told.connects).toBe(2);
    expect(told.job).toMatchObject({ state: 'completed', result: { seed: 'abc' }, progress: { fraction: 1 } });
    const numbers = Array.from({ length: input.steps }, (_, n) => n);
    expect(told.log).toEqual(numbers.map((n) => [n, `abc line ${n}`]));
    expect(told.output.map(([n, chunk]) => [n, chunk.n])).toEqual(numbers.map((n) => [n, n]));
  });

  test('is told of a job that does not exist', async () => {
    await using spillway = await startSpillway({ workers: 0 });
    const python = startPython(spillway.url, 'demo.01ARZ3NDEKTSV4RRFFQ69G5FAV');
    await expect(python.end()).rejects.toThrow('job_not_found');
  });
});

function startPython(...args: string[]): { said(): string; end(): Promise<Told> } {
  const child = spawn(PYTHON, [join(__dirname, 'fixtures/watch-job.py'), ...args]);
  const closed = once(child, 'close');
  let said = '';
  let complained = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  child.stderr.on('data', (text: Buffer) => (complained += text.toString()));
  return {
    said: () => said,
    async end() {
      const [code] = await closed;
      if (code !== 0) throw new Error(`the client ended with ${code}: ${complained}`);
      return JSON.parse(said.trim().split('\n').at(-1) ?? '') as Told;
    },
  };
}
