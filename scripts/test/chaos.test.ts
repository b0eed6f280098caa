import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './temporary-folder.ts';

const CHAOS = path.resolve(__dirname, '../chaos.mjs');

/** A run of the script, whose every file and process can be told by `folder`. */
function startChaos(folder: string, ...args: string[]) {
  const child = spawn(process.execPath, [CHAOS, ...args], { env: { ...process.env, TMPDIR: folder } });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    written.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    written.stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...written }));
  return { child, ended };
}

/** Processes that have the folder in their arguments or their environment. */
function processesOf(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  const mentions = (pid: string) => {
    try {
      return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(folder));
    } catch {
      return false; // it ended meanwhile, or is somebody else's
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && mentions(name));
}

test('a worker, an api and Redis are killed while jobs come in, every promise is kept, and nothing is left behind', async () => {
  const folder = temporaryFolder();
  const faults = ['--every', '2', '--faults', 'worker-kill,api-kill,redis-kill'];
  const args = ['--seconds', '8', '--rate', '40', '--seed', '7', '--json', ...faults];
  const { code, stdout, stderr } = await startChaos(folder, ...args).ended;
  const report = JSON.parse(stdout || `{"nothing written": ${JSON.stringify(stderr)}}`);
  const { seed, kept, findings, deaths, gaps } = report;
  expect({ seed, kept, findings, deaths, gaps }).toEqual({ seed: 7, kept: true, findings: {}, deaths: [], gaps: 0 });
  expect(Object.keys(report.faultsByKind).sort()).toEqual(['api-kill', 'redis-kill', 'worker-kill']);
  expect(report.accepted).toBeGreaterThan(100);
  expect(report.watched).toBeGreaterThan(0);
  expect(code).toBe(0);
  expect({ files: readdirSync(folder), processes: processesOf(folder) }).toEqual({ files: [], processes: [] });
}, 180_000);

test('without idempotency keys the same run finds duplicates, says which, and fails', async () => {
  const args = ['--seconds', '5', '--rate', '200', '--seed', '7', '--faults', '', '--without-keys', '--json'];
  const { code, stdout, stderr } = await startChaos(temporaryFolder(), ...args).ended;
  const report = JSON.parse(stdout || `{"nothing written": ${JSON.stringify(stderr)}}`);
  expect(report).toMatchObject({ kept: false });
  expect(report.promises).toEqual({ ...report.promises, lost: 0, duplicates: expect.any(Number) });
  expect(report.promises.duplicates).toBeGreaterThan(0);
  expect(report.findings.duplicates[0]).toEqual({ job: expect.stringMatching(/^chaos\./), what: expect.any(String) });
  expect(code).toBe(1);
}, 120_000);

test('Ctrl-C in the middle of it leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const { child, ended } = startChaos(folder, '--seconds', '60', '--rate', '10', '--every', '1', '--faults', 'cut');
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => String(chunk).includes('cut ') && resolve());
    child.once('close', () => resolve());
  });
  expect(processesOf(folder).length).toBeGreaterThan(process.platform === 'linux' ? 8 : -1);
  child.kill('SIGINT');
  expect((await ended).code).toBe(130);
  expect({ files: readdirSync(folder), processes: processesOf(folder) }).toEqual({ files: [], processes: [] });
}, 120_000);

test('a wrong option is refused with what was expected, before anything is started', async () => {
  const folder = temporaryFolder();
  const { code, stderr } = await startChaos(folder, '--faults', 'redis-kil').ended;
  expect(code).toBe(2);
  expect(stderr).toContain('--faults: expected any of worker-kill, ');
  expect(stderr).toContain('got "redis-kil"');
});
