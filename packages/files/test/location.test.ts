import { resolve } from 'node:path';
import { parseLocation } from '../src/location.ts';

test.each([
  ['.spillway/files', { kind: 'disk', folder: resolve('.spillway/files') }],
  ['/var/lib/spillway', { kind: 'disk', folder: '/var/lib/spillway' }],
  ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '', forcePathStyle: false }],
  [
    's3://my-bucket/a/b/?endpoint=http://127.0.0.1:9000&region=eu-1&forcePathStyle=true',
    {
      kind: 's3',
      bucket: 'my-bucket',
      prefix: 'a/b',
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-1',
      forcePathStyle: true,
    },
  ],
])('understands %s', (text, expected) => {
  expect(parseLocation(text)).toEqual(expected);
});

test.each([
  ['', 'expected a folder or s3://'],
  ['gs://bucket', 'got gs://'],
  ['s3://key:secret@bucket', 'expected no credentials'],
  ['s3://bucket?endpont=http://a', 'expected the options endpoint, region, forcePathStyle, got endpont'],
  ['s3://bucket?endpoint=127.0.0.1:9000', 'expected endpoint to be an http(s) address'],
  ['s3://bucket?forcePathStyle=yes', 'expected forcePathStyle to be true or false, got "yes"'],
  ['s3://B', 'expected a bucket name'],
])('refuses %j and says why', (text, message) => {
  expect(() => parseLocation(text)).toThrow(message);
});
