import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_ALLOWED_TYPES, identify, isText } from '../src/content-type.ts';

const photo = readFileSync(join(__dirname, '../../../docs/examples/photo.jpg')).subarray(0, 4100);
const csv = Buffer.from('BMI,age\n21.5,44\n');
const latin1 = Buffer.from('name;ort\nJürgen;Köln\n', 'latin1');
const utf16 = Buffer.from('\ufeffname\tage\n', 'utf16le');
const binary = Buffer.from([1, 2, 0, 4, 5]);
const empty = Buffer.alloc(0);

test.each([
  ['a photo that says what it is', photo, 'a.jpg', 'image/jpeg', 'image/jpeg', 'jpg'],
  ['a photo by an old name', photo, 'a.jpg', 'image/pjpeg', 'image/jpeg', 'jpg'],
  ['a photo that nobody declared', photo, 'a', undefined, 'image/jpeg', 'jpg'],
  ['a photo sent as plain bytes', photo, 'a.csv.jpg', 'application/octet-stream', 'image/jpeg', 'jpg'],
  ['a CSV that starts like a bitmap', csv, 'a.csv', 'text/csv; charset=utf-8', 'text/csv', 'csv'],
  ['a CSV known by its name', csv, 'a.CSV', 'application/octet-stream', 'text/csv', 'csv'],
  ['a CSV from a machine with Excel', csv, 'a.csv', 'application/vnd.ms-excel', 'text/csv', 'csv'],
  ['a CSV in Windows-1252', latin1, 'a.csv', 'text/csv', 'text/csv', 'csv'],
  ['a table in UTF-16', utf16, 'a.tsv', undefined, 'text/tab-separated-values', 'tsv'],
  ['an empty text', empty, 'a.txt', 'text/plain', 'text/plain', 'txt'],
  ['a text with no name to go by', latin1, 'notes', undefined, 'text/plain', 'txt'],
  ['JSON', Buffer.from('{"a":1}'), 'a', 'application/json', 'application/json', 'json'],
])('takes %s', async (_what, head, name, contentType, expectedType, extension) => {
  const found = await identify(head, { name, ...(contentType && { contentType }) }, DEFAULT_ALLOWED_TYPES);
  expect(found).toEqual({ contentType: expectedType, extension });
});

test.each([
  ['a photo declared as PNG', photo, 'a.png', 'image/png', 'Expected image/png, as declared, got image/jpeg.'],
  ['a photo called CSV', photo, 'a.csv', undefined, 'Expected text/csv, as declared, got image/jpeg.'],
  [
    'binary data declared as CSV',
    binary,
    'a.csv',
    'text/csv',
    'Expected text/csv, as declared, got bytes of no known type.',
  ],
  ['nothing declared as a photo', empty, 'a.jpg', 'image/jpeg', 'Expected image/jpeg, as declared, got an empty file.'],
  [
    'a page that a browser would run',
    csv,
    'a.html',
    'text/html',
    /^Expected a file of one of the types image\/jpeg.*, got text\/html\.$/,
  ],
  ['a drawing that a browser would run', csv, 'a.svg', 'image/svg+xml', /got image\/svg\+xml\.$/],
  ['unknown bytes', binary, 'a', undefined, /got application\/octet-stream\.$/],
])('refuses %s', async (_what, head, name, contentType, message) => {
  const asked = identify(head, { name, ...(contentType && { contentType }) }, DEFAULT_ALLOWED_TYPES);
  await expect(asked).rejects.toMatchObject({
    code: 'unsupported_media_type',
    message: expect.stringMatching(message),
  });
});

test('a family and a star in the list allow what they cover', async () => {
  const asJpeg = (allowed: string[]) => identify(photo, { name: 'a' }, allowed);
  expect((await asJpeg(['image/*'])).contentType).toBe('image/jpeg');
  expect((await asJpeg(['*'])).contentType).toBe('image/jpeg');
  await expect(asJpeg(['text/*'])).rejects.toThrow('Expected a file of one of the types text/*, got image/jpeg.');
});

test('tells text from binary data', () => {
  expect([csv, latin1, utf16, empty].map(isText)).toEqual([true, true, true, true]);
  expect([photo, binary].map(isText)).toEqual([false, false]);
});
