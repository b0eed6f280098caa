import { createHmac } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { UnrecoverableJobError } from '@spillway/worker';
import { parsePermit } from '../../src/addresses.ts';
import { deliver } from '../../src/delivery.ts';
import { httpDeliver } from '../../src/jobs/http-deliver.ts';
import { runHandler, serve } from '../job-context.ts';

const KEY = Buffer.alloc(32, 7);
// Read on first use, so it is set before any handler runs.
Object.assign(process.env, {
  SPILLWAY_ALLOW_PRIVATE: '127.0.0.1',
  SPILLWAY_DELIVER_SECRET: `whsec_${KEY.toString('base64')}`,
});

test('delivers signed JSON and returns the answer', async () => {
  let received: { body: string; headers: NodeJS.Dict<string | string[]> } | undefined;
  const server = await serve(async (request, response) => {
    received = { body: await text(request), headers: request.headers };
    response.writeHead(201, { 'content-type': 'text/plain' }).end('thanks');
  });
  const { result, log, progress } = await runHandler(httpDeliver, {
    url: `${server.origin}/hook?a=1`,
    headers: { 'X-Tenant': 'acme', 'Content-Type': 'application/cloudevents+json' },
    body: { event: 'order.paid', amount: 12.5 },
  });
  expect(result).toMatchObject({ status: 201, contentType: 'text/plain', body: 'thanks', truncated: false });
  expect(server.requests).toEqual(['POST /hook?a=1']);
  const { body = '', headers = {} } = received ?? {};
  expect(body).toBe('{"event":"order.paid","amount":12.5}');
  expect(headers).toMatchObject({ 'x-tenant': 'acme', 'content-type': 'application/cloudevents+json' });
  expect(headers['webhook-id']).toBe('test.01JD0000000000000000000000');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`);
  expect(log).toEqual([expect.stringMatching(/^POST 127\.0\.0\.1:\d+: 201 in \d+ ms$/)]);
  expect(progress.at(-1)).toEqual({ fraction: 1, message: 'answered 201' });
  await server.stop();
});

test.each([
  [302, true, 'got 302 to /elsewhere; redirects are not followed'],
  [400, true, 'expected a 2xx answer from 127.0.0.1'],
  [410, true, 'got 410: no such hook'],
  [408, false, 'got 408'],
  [409, false, 'got 409'],
  [425, false, 'got 425'],
  [429, false, 'got 429'],
  [500, false, 'got 500: no such hook'],
  [503, false, 'got 503'],
])('an answer of %i is final: %s', async (status, final, message) => {
  const server = await serve((_request, response) =>
    response.writeHead(status, { location: '/elsewhere' }).end('no such hook'),
  );
  const error: unknown = await runHandler(httpDeliver, { url: server.origin }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
  expect(error instanceof UnrecoverableJobError).toBe(final);
  expect(server.requests).toHaveLength(1);
  await server.stop();
});

test('keeps the first 64 KB of an answer that does not end', async () => {
  const server = await serve((_request, response) => {
    response.writeHead(200);
    response.write(Buffer.alloc(100_000, 'x'));
  });
  const { result } = await runHandler(httpDeliver, { url: server.origin, method: 'GET' });
  expect(result.truncated).toBe(true);
  expect(result.body).toHaveLength(64 * 1024);
  await server.stop();
});

test('a receiver that cannot be reached is tried again, and says why', async () => {
  const server = await serve(() => undefined);
  await server.stop();
  const error: unknown = await runHandler(httpDeliver, { url: server.origin }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: `expected an answer from ${new URL(server.origin).host}, got ECONNREFUSED` });
  expect(error).not.toBeInstanceOf(UnrecoverableJobError);
});

test('a private address is refused for good, and nothing is sent', async () => {
  const server = await serve((_request, response) => response.end());
  const call = { url: new URL(server.origin), method: 'POST', headers: {}, body: '' };
  const { signal } = new AbortController();
  const refused = deliver(call, { permit: parsePermit([]), signal });
  await expect(refused).rejects.toThrow('SPILLWAY_ALLOW_PRIVATE can permit it');
  await expect(refused).rejects.toBeInstanceOf(UnrecoverableJobError);
  expect(server.requests).toEqual([]);
  await server.stop();
});

test('ends with the reason when it is aborted', async () => {
  const controller = new AbortController();
  const server = await serve(() => controller.abort(new Error('the worker stops')));
  await expect(runHandler(httpDeliver, { url: server.origin }, controller)).rejects.toThrow('the worker stops');
  await server.stop();
});

test.each([
  [{ url: 'ftp://host/' }, '/url expected an http(s) URL, got "ftp://host/"'],
  [{ url: 'https://' }, 'expected an http(s) URL, got "https://"'],
  [{ url: 'https://user:pw@host/' }, 'expected a URL without user name and password'],
  [{ url: 'https://host/', headers: { Host: 'other' } }, 'expected a header name, and none of the connection'],
  [{ url: 'https://host/', headers: { 'Webhook-Signature': 'v1,x' } }, 'expected a header name, and none of'],
  [{ url: 'https://host/', headers: { 'proxy-authorization': 'x' } }, 'expected a header name, and none of'],
  [{ url: 'https://host/', headers: { 'x y': 'a' } }, 'expected a header name, and none of'],
  [{ url: 'https://host/', headers: { a: 'x\r\nHost: other' } }, '/headers/a expected one line of text'],
  [{ url: 'https://host/', method: 'TRACE' }, '/method expected one of "POST", "PUT"'],
  [{ url: 'https://host/', secret: 'x' }, '/secret is not a known field'],
])('refuses the input %j', async (input, message) => {
  await expect(runHandler(httpDeliver, input)).rejects.toThrow(message);
});
