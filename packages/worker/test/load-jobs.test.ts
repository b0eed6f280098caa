import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const ROOT = resolve(__dirname, '../../..');
const FIXTURE = join(__dirname, 'fixtures/load-jobs.mjs');

interface Loaded {
  types?: string[];
  /** What each type's handler returned. */
  results?: unknown[];
  error?: string;
}

/** A folder with the files of a user, who has Spillway at hand. */
async function userFolder(files: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway jobs '));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, source] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), source);
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** jest compiles to CommonJS, where an import is none: so the build loads, in a process of its own, as for a user. */
async function load(...paths: string[]): Promise<Loaded> {
  const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE, ...paths], {
    env: { PATH: process.env.PATH },
  });
  return JSON.parse(stdout) as Loaded;
}

/** The source of a job file in JavaScript. */
function job(type: string, run = '() => null'): string {
  return `import { defineJob } from '@spillway/worker';
import { Type } from '@spillway/schema';
export const ${type.replace('.', '_')} = defineJob({ type: '${type}', input: Type.Object({}), run: ${run} });
`;
}

const TYPED = `import { defineJob, type JobContext } from '@spillway/worker';
import { Type } from '@spillway/schema';
import { count } from './shared.ts';
type Reply = { count: number };
const run = async ({ input }: JobContext<{ n?: number }>): Promise<Reply> => ({ count: count((input.n ?? 0) as number) });
`;

test('a folder gives the jobs of its files, under whatever name they are exported; the rest of it is ignored', async () => {
  await using user = await userFolder({
    'two.js': job('test.one', "() => 'one'") + job('test.two').replace(/^import.*\n/gm, ''),
    'module.mjs': job('test.three').replace('export const test_three =', 'export default'),
    'shared.js': "export const helper = 'no job'; export const nothing = null;",
    'types.d.ts': 'export declare const job: unknown;',
    'readme.md': '# not code',
    'nested/four.js': job('test.four'),
  });
  expect(await load(user.folder)).toEqual({
    types: ['test.three', 'test.one', 'test.two'],
    results: [null, 'one', null],
  });
});

test('a module gives its jobs alone', async () => {
  await using user = await userFolder({ 'one.js': job('test.one'), 'two.js': job('test.two') });
  expect(await load(join(user.folder, 'two.js'))).toMatchObject({ types: ['test.two'] });
});

test('several folders and modules give all their jobs', async () => {
  await using user = await userFolder({ 'a/one.js': job('test.one'), 'b/two.js': job('test.two') });
  const { types } = await load(join(user.folder, 'a'), join(user.folder, 'b/two.js'));
  expect(types).toEqual(['test.one', 'test.two']);
});

test('an empty folder gives none', async () => {
  await using user = await userFolder({});
  expect(await load(user.folder)).toEqual({ types: [], results: [] });
});

test('TypeScript runs as it is, and a module that two job files share is loaded once', async () => {
  await using user = await userFolder({
    'a.ts': `${TYPED}export const a = defineJob({ type: 'test.a', input: Type.Object({}), run });`,
    'b.mts': `${TYPED}export const b = defineJob({ type: 'test.b', input: Type.Object({}), run });`,
    'shared.ts': 'let calls = 0;\nexport const count = (n: number): number => (calls += n + 1);',
    'index.ts': "export * from './a.ts';\nexport { b as again } from './b.mts';",
  });
  const { types, results } = await load(user.folder);
  expect(types).toEqual(['test.a', 'test.b']);
  expect(results).toEqual([{ count: 1 }, { count: 2 }]);
});

test('TypeScript in a folder that is no ES module package runs too', async () => {
  await using user = await userFolder({
    'package.json': '{}',
    'a.ts': `import { defineJob } from '@spillway/worker';
import { Type } from '@spillway/schema';
export const a = defineJob({ type: 'test.a', input: Type.Object({}), run: async (): Promise<string> => 'ran' });`,
  });
  expect(await load(user.folder)).toEqual({ types: ['test.a'], results: ['ran'] });
});

test('a path that does not exist is named', async () => {
  const { error } = await load('./no/such/folder');
  expect(error).toContain('ConfigError: ');
  expect(error).toContain('SPILLWAY_JOBS: expected a folder or module, got ./no/such/folder (ENOENT)');
});

test.each([
  ['that cannot be parsed', 'broken.js', 'export const = 1;', 'Unexpected token'],
  ['in TypeScript that cannot be parsed', 'broken.ts', 'export const a: = 1;', 'Unexpected'],
  ['that throws', 'broken.js', "throw new Error('no licence');", 'no licence'],
  ['that throws something odd', 'broken.js', 'throw 42;', '42'],
  ['that imports what is not there', 'broken.js', "import 'no-such-package';", "Cannot find package 'no-such-package'"],
  ['whose definition is wrong', 'broken.js', job('Test.One'), 'defineJob: expected type to be lower-case words'],
])('a file %s is named, with the reason', async (_what, name, source, reason) => {
  await using user = await userFolder({ 'good.js': job('test.good'), [name]: source });
  const { error } = await load(user.folder);
  expect(error).toContain(`expected ${join(user.folder, name)} to load as a job file: `);
  expect(error).toContain(reason);
});

test('a type that two files define is refused, and both are named', async () => {
  await using user = await userFolder({ 'one.js': job('test.one'), 'other.js': job('test.one') });
  const { error } = await load(user.folder);
  const [one, other] = [join(user.folder, 'one.js'), join(user.folder, 'other.js')];
  expect(error).toContain(`expected one definition of job type test.one, got two: ${one} and ${other}`);
});
