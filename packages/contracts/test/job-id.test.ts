import { jobId, NAME_MAX_LENGTH, QUEUE_NAME, queueOf, TYPE_NAME } from '@spillway/contracts';

const ULID = '01JD2V9K8Q4W5X6Y7Z8A9B0C1D';

test.each(['default', 'images', 'mail-out', 'a1-b2-c3'])('the id of a job leads back to its queue %s', (queue) => {
  expect(QUEUE_NAME.test(queue)).toBe(true);
  expect(queueOf(jobId(queue, ULID))).toBe(queue);
});

test.each([
  ['nothing', ''],
  ['a word of the engine', 'meta'],
  ['a ULID alone', ULID],
  ['no queue', `.${ULID}`],
  ['a short ULID', `default.${ULID.slice(1)}`],
  ['a long ULID', `default.${ULID}0`],
  ['a letter that ULIDs leave out', `default.${ULID.slice(0, -1)}U`],
  ['lower case', `default.${ULID.toLowerCase()}`],
  ['a queue name with a dot', `a.b.${ULID}`],
  ['a queue name with a brace', `{a}.${ULID}`],
  ['a queue name with an upper-case letter', `Images.${ULID}`],
  ['a queue name that ends with a dash', `mail-.${ULID}`],
  ['something before it', ` default.${ULID}`],
  ['a line break after it', `default.${ULID}\n`],
])('%s is no job id', (_what, text) => {
  expect(queueOf(text)).toBeUndefined();
});

test.each(['default', 'image.variants', 'http.deliver', 'a', 'a1', 'a_b-c.d2'])('%s may name a type', (name) => {
  expect(TYPE_NAME.test(name)).toBe(true);
});

test.each(['', 'Image', 'a..b', '.a', 'a.', 'a b', 'a:b', 'a{b}', '1a', 'ä', 'a\n'])(
  '%j may not name a type',
  (name) => {
    expect(TYPE_NAME.test(name)).toBe(false);
  },
);

test.each(['', 'A', 'a.b', 'a--b', '-a', 'a-', 'a:b', 'a{b}', '1a', 'a\n'])('%j may not name a queue', (name) => {
  expect(QUEUE_NAME.test(name)).toBe(false);
});

test('a job id with the longest queue name stays below 100 characters', () => {
  expect(jobId('q'.repeat(NAME_MAX_LENGTH), ULID).length).toBeLessThan(100);
});
