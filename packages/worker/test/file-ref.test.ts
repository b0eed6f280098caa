import { compileSchema } from '@spillway/runtime';
import { Type } from '@spillway/schema';
import { FileRef, parseFileRef } from '../src/file-ref.ts';
import { toJsonSchema } from '../src/schema.ts';
import { UnrecoverableJobError } from '../src/unrecoverable.ts';

const validate = compileSchema(toJsonSchema(Type.Object({ source: FileRef({ title: 'Photo' }) }), 'test'));

test.each([
  ['file:01JD0000000000000000000000.jpg', { kind: 'file', id: '01JD0000000000000000000000.jpg' }],
  ['path:photos/a b.jpg', { kind: 'path', path: 'photos/a b.jpg' }],
  ['path:/srv/a.csv', { kind: 'path', path: '/srv/a.csv' }],
  ['https://example.com/a.jpg?b=1', { kind: 'url', url: new URL('https://example.com/a.jpg?b=1') }],
])('%s is a file reference', (text, expected) => {
  expect(validate({ source: text })).toEqual([]);
  expect(parseFileRef(text)).toEqual(expected);
});

test.each(['', 'photo.jpg', 'file:../a.jpg', 'file:01JD.jpg', 'path:', 'ftp://host/a', 'file:///etc/passwd'])(
  '%j is none, and the message says what is',
  (text) => {
    expect(validate({ source: text })).toEqual([
      {
        pointer: '/source',
        message: `/source expected a file reference: file:<id> of an upload, path:<path> under a permitted folder, or an http(s) URL, got ${JSON.stringify(text)}`,
      },
    ]);
    expect(() => parseFileRef(text)).toThrow(UnrecoverableJobError);
  },
);

test('a form can tell that the field takes a file', () => {
  expect(FileRef({ title: 'Photo' })).toMatchObject({ type: 'string', title: 'Photo', 'x-control': 'file' });
});

test('a field with a default need not be submitted', () => {
  const inner = Type.Object({ depth: Type.Integer({ default: 1 }), name: Type.String() });
  const published = toJsonSchema(Type.Object({ size: Type.Integer({ default: 5 }), inner }), 'test');
  expect(published).toMatchObject({ required: ['inner'], properties: { inner: { required: ['name'] } } });
  const filled = { inner: { name: 'a' } };
  expect(compileSchema(published, { useDefaults: true })(filled)).toEqual([]);
  expect(filled).toEqual({ size: 5, inner: { depth: 1, name: 'a' } });
});
