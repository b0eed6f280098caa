import { readFileSync } from 'node:fs';
import { ApiError, UnreachableError } from '@spillway/client';
import { EXIT_CODES, exitCodeHelp, exitCodeOf } from '../src/exit-code.ts';
import { UsageError } from '../src/usage-error.ts';

test('the README shows the table of the code', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  expect(readme).toContain(['| code | meaning |', '|---|---|', ...rows].join('\n'));
});

test('so does the help', () => {
  for (const { code, meaning } of Object.values(EXIT_CODES)) expect(exitCodeHelp()).toContain(`${code}  ${meaning}`);
});

test.each([
  [new UsageError('?'), 2],
  [new UnreachableError('http://127.0.0.1', 'nobody there'), 6],
  [refusal(404), 5],
  [refusal(401), 7],
  [refusal(422), 7],
  [refusal(503), 6],
  [new Error('a bug'), 1],
  ['not even an error', 1],
])('%s ends with %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

function refusal(status: number): ApiError {
  return new ApiError({
    type: '',
    title: 'Refused',
    status,
    code: 'some_code',
    detail: `status ${status}`,
    retryable: false,
  });
}
