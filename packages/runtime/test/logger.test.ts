import { serializeError } from '@spillway/runtime';
import { redisUrl } from '@spillway/testkit';
import { startFixture } from './fixture-process.ts';
import { KEY, PASSWORD, PAYLOAD, SCRIPT, TICKET, WATCH_TOKEN } from './fixtures/secrets.ts';

test.each(['json', 'pretty'])(
  'the %s log says what went wrong in Redis, and nothing of what was sent',
  async (format) => {
    await using fixture = startFixture('logging.ts', [format, redisUrl()]);
    expect(await fixture.ended).toBe(0);
    const log = fixture.stdout();
    for (const message of ['straight', 'as a cause', 'inside another', 'one of several'])
      expect(log).toContain(message);
    for (const known of ['ReplyError', 'eval', "unknown command 'NOSUCHCOMMAND'"]) expect(log).toContain(known);
    for (const secret of [PAYLOAD, SCRIPT, 'payload-of-a-job', 'lua-source']) expect(log).not.toContain(secret);
    for (const message of ['fields', 'fields of fields', 'headers', 'bound fields']) expect(log).toContain(message);
    for (const message of ['under another name', 'a library’s own', 'far down', 'beside it'])
      expect(log).toContain(message);
    for (const known of ['ERR AUTH', 'ECONNREFUSED', 'redis.internal', 'HttpError', 'was refused', '[Socket]'])
      expect(log).toContain(known);
    for (const secret of [KEY, PASSWORD, WATCH_TOKEN, TICKET]) expect(log).not.toContain(secret);
    expect(log).not.toContain('expected the command to fail');
  },
);

describe('an error in the log', () => {
  test('keeps its type, message, stack and fields', () => {
    const error = Object.assign(new TypeError('no'), { code: 'E_NO', details: { tried: 3 } });
    expect(serializeError(error)).toMatchObject({
      type: 'TypeError',
      message: 'no',
      stack: error.stack,
      code: 'E_NO',
      details: { tried: 3 },
    });
  });

  test('leads no way back to the original', () => {
    const error = Object.assign(new Error('no'), { command: { name: 'set', args: ['k', 'secret'] } });
    const serialized = serializeError(error);
    expect(serialized.command).toEqual({ name: 'set' });
    expect(serialized.raw).toBeUndefined();
    expect(error.command.args).toEqual(['k', 'secret']);
  });

  test('that holds itself ends somewhere', () => {
    const error: Error & { all?: unknown; last?: unknown } = new Error('no');
    error.all = [error];
    error.last = error;
    expect(JSON.stringify(serializeError(error)).length).toBeLessThan(20_000);
  });

  test.each(['text', 5, null])('that is none (%j) stays what it is', (thrown) => {
    expect(serializeError(thrown as unknown as Error)).toBe(thrown);
  });
});
