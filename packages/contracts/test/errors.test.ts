import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ERRORS, type ErrorCode, SpillwayError, toProblem } from '@spillway/contracts';

const ROOT = resolve(__dirname, '../../..');
const ROW = /^\| `(\w+)` \| (\d+) \| (yes|no) \| ([^|]+) \| ([^|]+) \|$/gm;

test('docs/errors.md has a row for every code, with its status, its meaning and whether a repeat may help', () => {
  const rows = [...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(ROW)].map(
    ([, code, status, retryable, title]) => ({ code, status: Number(status), retryable: retryable === 'yes', title }),
  );
  const codes = Object.entries(ERRORS).map(([code, error]) => ({ code, ...error }));
  expect(rows).toEqual(codes);
});

test('every code is used by some package or app', () => {
  const sources = ['packages', 'apps'].flatMap((folder) => sourceFiles(join(ROOT, folder)));
  const text = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
  const unused = Object.keys(ERRORS).filter((code) => !text.includes(`'${code}'`));
  expect(unused).toEqual([]);
});

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) =>
    readdirSync(join(folder, name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file) && !(name === 'contracts' && file === 'errors.ts'))
      .map((file) => join(folder, name, 'src', file)),
  );
}

test.each(Object.keys(ERRORS) as ErrorCode[])('the problem %s is ready to be sent', (code) => {
  const problem = toProblem(new SpillwayError(code, 'expected this, got that'), 'r1');
  expect(problem).toEqual({
    type: `urn:spillway:error:${code}`,
    title: ERRORS[code].title,
    status: ERRORS[code].status,
    code,
    detail: 'expected this, got that',
    retryable: ERRORS[code].retryable,
    requestId: 'r1',
  });
});

test('a problem names its fields where there are some, and leaves out what is unknown', () => {
  const errors = [{ pointer: '/input', message: '/input is required, got nothing' }];
  expect(toProblem(new SpillwayError('invalid_request', 'no', { errors }))).toMatchObject({ errors });
  const bare = toProblem(new SpillwayError('invalid_request', 'no', { errors: [] }));
  expect(bare).not.toHaveProperty('errors');
  expect(bare).not.toHaveProperty('requestId');
});

test('an error keeps what caused it', () => {
  const cause = new Error('socket closed');
  expect(new SpillwayError('unavailable', 'Redis did not answer', { cause }).cause).toBe(cause);
  expect('cause' in new SpillwayError('internal', 'no')).toBe(false);
});
