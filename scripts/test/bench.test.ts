import { execFile } from 'node:child_process';
import path from 'node:path';

const BENCH = path.resolve(__dirname, '../bench');

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function node(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    );
  });
}

/** The scripts are native modules, which jest does not load: they are asked in a Node of their own. */
async function evaluate(file: string, expression: string): Promise<unknown> {
  const code = `import * as module from ${JSON.stringify(path.join(BENCH, file))}; console.log(JSON.stringify(${expression}));`;
  const { stdout, stderr } = await node('--input-type=module', '--eval', code);
  if (stderr) throw new Error(stderr);
  return JSON.parse(stdout);
}

test('an unknown benchmark is refused with the names of those that exist, before anything is installed or started', async () => {
  const { code, stderr } = await node(`${BENCH}.mjs`, 'sumbit');
  expect(code).toBe(2);
  expect(stderr).toBe(
    "Expected submit, drain, latency, live, memory, million, start, batch, spike, fair, estimate or an option, but got 'sumbit'. --help lists all.\n",
  );
});

test('--json takes a file when one follows, and else means the standard output', async () => {
  const parsed = await evaluate(
    'options.mjs',
    `[['--json', 'a.json'], ['--json', 'drain'], ['--json', '--quick'], ['--json=b.json']].map((args) => module.parseOptions(args).json)`,
  );
  expect(parsed).toEqual(['a.json', '-', '-', 'b.json']);
});

test('a ratio compares only what one round measured', async () => {
  // The machine's speed changed from round to round: the ratio of the medians would be 1.5.
  const ratio = await evaluate('statistics.mjs', 'module.ratioOfRounds([300, 100, 440], [100, 200, 400])');
  expect(ratio).toEqual({ median: 1.1, min: 0.5, max: 3 });
});

test('a target for a value holds for the worst round, one for a ratio for the median', async () => {
  const samples = [0, 0, 1].flatMap((lost, round) => [
    { round, system: 'naive', values: { lost: 7, p99: 10 } },
    { round, system: 'ours', values: { lost, p99: 9 + lost * 100 } },
  ]);
  const scenario = {
    id: 'x',
    title: 'X',
    systems: [{ name: 'naive' }, { name: 'ours' }],
    rows: [
      { key: 'lost', title: 'lost', digits: 0, ratio: false },
      { key: 'p99', title: 'p99', digits: 0 },
    ],
    targets: [
      { key: 'lost', valueMax: 0 },
      { key: 'p99', ratioMax: 1 },
    ],
  };
  const met = await evaluate(
    'summary.mjs',
    `module.summarize(${JSON.stringify(scenario)}, ${JSON.stringify(samples)}).rows.map((row) => row.target)`,
  );
  expect(met).toEqual([
    { text: '<= 0', met: false },
    { text: '<= 1x', met: true },
  ]);
});
