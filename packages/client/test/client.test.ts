import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '@spillway/testkit';
import { ApiError, createClient, JobFailedError, UnreachableError } from '../src/index.ts';

type Handler = (request: IncomingMessage & { text: string }, response: ServerResponse) => void;

/** An HTTP server that answers as the test says, and keeps what it was asked. */
async function serve(handler: Handler) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    handler(Object.assign(request, { text }), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    baseUrl,
    client: createClient({ baseUrl, key: 'secret' }),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(body));
}

test('a flow is sent as the tree that it is', async () => {
  let seen: unknown;
  await using api = await serve((request, response) => {
    seen = [`${request.method} ${request.url}`, JSON.parse(request.text)];
    json(response, { id: 'batch.X', accepted: 2 }, 202);
  });
  const flow = {
    type: 'demo.noop',
    children: [{ type: 'demo.steps', input: { steps: 2 }, onFailure: 'ignore' as const }],
  };
  expect((await api.client.submitFlow(flow)).accepted).toBe(2);
  expect(seen).toEqual(['POST /v1/flows', { flow }]);
});

test('a submit sends type, input, options and the key', async () => {
  let seen: unknown;
  await using api = await serve((request, response) => {
    seen = { line: `${request.method} ${request.url}`, headers: request.headers, body: JSON.parse(request.text) };
    json(response, { id: 'default.X', state: 'waiting' }, 202);
  });
  const reply = await api.client.submit('demo.steps', { steps: 2 }, { attempts: 1 });
  expect(reply.id).toBe('default.X');
  expect(seen).toEqual({
    line: 'POST /v1/jobs',
    headers: expect.objectContaining({ authorization: 'Bearer secret' }),
    body: { type: 'demo.steps', input: { steps: 2 }, options: { attempts: 1 } },
  });
});

test('a submit is tried again under one key until it is answered; another submit has another key', async () => {
  const keys: unknown[] = [];
  await using api = await serve((request, response) => {
    keys.push(request.headers['idempotency-key']);
    if (keys.length === 1) request.socket.destroy();
    else if (keys.length === 2) json(response, { code: 'unavailable', status: 503 }, 503);
    else json(response, { id: 'default.X', state: 'waiting' }, 202);
  });
  expect(await api.client.submit('demo.noop')).toMatchObject({ id: 'default.X' });
  await api.client.submit('demo.noop');
  await api.client.submit('demo.noop', {}, { idempotencyKey: 'mine' });
  const [first] = keys;
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(keys).toEqual([first, first, first, expect.not.stringMatching(String(first)), 'mine']);
});

test('a submit that finds the queue full is tried again after the time that was told, unless that is long', async () => {
  const askedAt: number[] = [];
  const told = ['1', '60'];
  await using api = await serve((_request, response) => {
    askedAt.push(Date.now());
    response.setHeader('retry-after', told[askedAt.length - 1] ?? '');
    json(response, { code: 'queue_full', status: 429, retryable: true }, 429);
  });
  await expect(api.client.submit('demo.noop')).rejects.toMatchObject({ code: 'queue_full', retryAfterMs: 60_000 });
  expect(askedAt).toHaveLength(2);
});

test('a submit that is refused is not tried again, and an abort ends the pause before the next try', async () => {
  let asked = 0;
  await using api = await serve((_request, response) => {
    asked += 1;
    if (asked === 1) json(response, { code: 'invalid_input', status: 422 }, 422);
    else json(response, { code: 'unavailable', status: 503 }, 503);
  });
  await expect(api.client.submit('demo.noop')).rejects.toMatchObject({ code: 'invalid_input' });
  expect(asked).toBe(1);
  const abort = new AbortController();
  const submitted = api.client.submit('demo.noop', {}, { signal: abort.signal });
  const reason = new Error('not wanted any more');
  await until('the second question', () => asked === 2);
  abort.abort(reason);
  await expect(submitted).rejects.toBe(reason);
  expect(asked).toBe(2);
});

test("a refusal carries the server's problem", async () => {
  const problem = {
    type: 'urn:spillway:error:invalid_input',
    title: 'The input does not match',
    status: 422,
    code: 'invalid_input',
    detail: 'steps must be an integer, got "x"',
    retryable: false,
    errors: [{ pointer: '/input/steps', message: 'expected an integer, got "x"' }],
  };
  await using api = await serve((_request, response) => json(response, problem, 422));
  const error = await api.client.submit('demo.steps', { steps: 'x' }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({
    message: problem.detail,
    code: 'invalid_input',
    status: 422,
    errors: problem.errors,
    problem,
  });
});

test('an error page of a proxy becomes a problem with its status', async () => {
  await using api = await serve((_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<h1>Bad gateway</h1>');
  });
  await expect(api.client.types()).rejects.toMatchObject({ code: 'unavailable', status: 502, retryable: true });
});

test('a server that is no Spillway is told apart', async () => {
  await using api = await serve((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<h1>Welcome</h1>');
  });
  await expect(api.client.types()).rejects.toThrow(/expected JSON .* got text\/html/);
});

test('an address where nobody answers is unreachable, with the reason', async () => {
  const { baseUrl } = await serve(() => {}).then(async (api) => {
    await api[Symbol.asyncDispose]();
    return api;
  });
  const client = createClient({ baseUrl });
  const error = await client.types().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(String(error)).toContain(baseUrl);
  expect(String(error)).toContain('ECONNREFUSED');
});

test('an address that is no http address is refused at once', () => {
  expect(() => createClient({ baseUrl: 'localhost:3000' })).toThrow('got localhost:3000');
});

test('a result is asked for until the job is final', async () => {
  const asked: (string | undefined)[] = [];
  await using api = await serve((request, response) => {
    asked.push(request.url);
    json(response, asked.length === 1 ? { state: 'active' } : { state: 'completed', result: { sum: 3 } });
  });
  await expect(api.client.result('default.X')).resolves.toEqual({ sum: 3 });
  expect(asked).toEqual(['/v1/jobs/default.X?wait=25', '/v1/jobs/default.X?wait=25']);
});

test('the result of a job that failed is an error with the job', async () => {
  const job = { id: 'default.X', state: 'failed', error: { code: 'timeout', message: 'took too long' } };
  await using api = await serve((_request, response) => json(response, job));
  const error = await api.client.result('default.X').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(JobFailedError);
  expect(error).toMatchObject({ code: 'timeout', job, message: 'Job default.X failed: took too long' });
});

test('an upload is a form with the file under its name', async () => {
  let seen = '';
  await using api = await serve((request, response) => {
    seen = request.text;
    json(response, { ref: 'file:1' }, 201);
  });
  await expect(api.client.upload(new Blob(['a,b']), { name: 'table.csv' })).resolves.toEqual({ ref: 'file:1' });
  expect(seen).toContain('name="file"; filename="table.csv"');
  expect(seen).toContain('a,b');
});

test('a download from another server is refused: the key is not for it', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:9', key: 'secret' });
  await expect(client.download('https://example.com/cat.png')).rejects.toThrow('got https://example.com/cat.png');
});

test('an aborted call rejects with the reason of the signal', async () => {
  await using api = await serve(() => {});
  const reason = new Error('not wanted any more');
  const call = api.client.get('default.X', { signal: AbortSignal.abort(reason) });
  await expect(call).rejects.toBe(reason);
});
