import type { BatchReply, Job } from '@spillway/contracts';
import { call, type Spillway, startSpillway } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway();
});
afterAll(() => spillway[Symbol.asyncDispose]());

const submit = (body: unknown) => call<BatchReply>(spillway.url, 'POST', '/v1/batches', body);
const idsOf = ({ jobs }: BatchReply) => jobs.flatMap((job) => ('id' in job ? [job.id] : []));

test('many jobs are stored by one call, carry their batch, and each runs once', async () => {
  const { status, body } = await submit(Array(250).fill({ type: 'demo.noop', input: {} }));
  expect(status).toBe(202);
  expect(body).toMatchObject({ accepted: 250, refused: 0 });
  const ids = idsOf(body);
  expect(new Set(ids).size).toBe(250);
  const jobs = await Promise.all(ids.map((id) => call<Job>(spillway.url, 'GET', `/v1/jobs/${id}?wait=20`)));
  for (const { body: job } of jobs) expect(job).toMatchObject({ state: 'completed', attempt: 1, batch: body.id });
});

test('a bad job is refused at its place, and the others are kept', async () => {
  const { status, body } = await submit([
    { type: 'demo.noop' },
    { type: 'demo.steps', input: { steps: 'many' } },
    { type: 'no.such' },
    { type: 'demo.noop', options: { delayMs: -1 } },
    7,
    { type: 'demo.noop', options: { delayMs: 3_600_000 } },
  ]);
  expect(status).toBe(202);
  expect(body).toMatchObject({ accepted: 2, refused: 4 });
  expect(body.jobs).toMatchObject([
    { id: expect.any(String) },
    { error: { code: 'invalid_input', errors: [{ pointer: '/input/steps' }] } },
    { error: { code: 'unknown_type', message: expect.stringContaining('"no.such"') } },
    { error: { code: 'invalid_request', message: expect.stringContaining('delayMs') } },
    { error: { code: 'invalid_request', message: expect.stringContaining('expected object, got 7') } },
    { id: expect.any(String) },
  ]);
});

test.each([
  [[], /at least 1 item/],
  [{ type: 'demo.noop' }, /expected array, got an object/],
  [Array(1001).fill({ type: 'demo.noop' }), /at most 1000 items/],
])('a body that is no batch is refused whole', async (body, message) => {
  expect(await submit(body)).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', detail: expect.stringMatching(message) },
  });
});
