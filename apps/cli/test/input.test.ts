import { Readable } from 'node:stream';
import { parseFileField, readInput, withField } from '../src/input.ts';

const NOTHING = Readable.from([]);

test('input is JSON itself, or comes from standard input', async () => {
  await expect(readInput('{"a":1}', NOTHING)).resolves.toEqual({ a: 1 });
  await expect(readInput('-', Readable.from(['{"a":', '2}']))).resolves.toEqual({ a: 2 });
  await expect(readInput(undefined, NOTHING)).resolves.toBeUndefined();
});

test('text that is not JSON is shown with the place where it stops being JSON', async () => {
  const text = '{\n  "steps": 5,\n  stepMs: 200\n}';
  await expect(readInput(text, NOTHING)).rejects.toThrow(
    '--input is not JSON: expected a name in double quotes, got "s" at line 3, column 3\n    stepMs: 200\n    ^',
  );
});

test('of a long line only the part around the fault is shown', async () => {
  const error: unknown = await readInput(`[${'1,'.repeat(200)}x]`, NOTHING).catch((reason: unknown) => reason);
  const lines = String(error).split('\n');
  expect(lines[1]?.length).toBeLessThan(80);
  expect(lines[1]?.[lines[2]?.indexOf('^') ?? -1]).toBe('x');
});

test('a file that is not there is named', async () => {
  await expect(readInput('@no/such.json', NOTHING)).rejects.toThrow('cannot read no/such.json');
  expect(() => parseFileField('source=no/such.jpg')).toThrow('there is no file no/such.jpg');
});

test.each(['photo.jpg', '=photo.jpg', 'source='])('%s is no field and path', (argument) => {
  expect(() => parseFileField(argument)).toThrow('expected field=path');
});

test('a reference goes where the input wants it', () => {
  expect(withField(undefined, ['source'], 'file:1')).toEqual({ source: 'file:1' });
  expect(withField({ a: 1, to: { b: 2 } }, ['to', 'source'], 'file:1')).toEqual({
    a: 1,
    to: { b: 2, source: 'file:1' },
  });
  expect(() => withField([1], ['source'], 'file:1')).toThrow('expected an input object');
});
