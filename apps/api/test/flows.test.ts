import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FlowMember, FlowReply, Job, Problem, SubmitReply } from '@spillway/contracts';
import { call, type Spillway, startSpillway, until } from '@spillway/testkit';

let spillway: Spillway;
beforeAll(async () => {
  spillway = await startSpillway({ env: { SPILLWAY_JOBS: resolve(__dirname, 'fixtures/flow-jobs.ts') } });
});
afterAll(() => spillway[Symbol.asyncDispose]());

const submit = <T = FlowReply>(flow: unknown) => call<T>(spillway.url, 'POST', '/v1/flows', { flow });
const ended = async (id: string) => (await call<Job>(spillway.url, 'GET', `/v1/jobs/${id}?wait=50`)).body;
const membersOf = (member: FlowMember): FlowMember[] => [member, ...(member.children ?? []).flatMap(membersOf)];
const sum = (add: number, children?: unknown[], more = {}) => ({
  type: 'test.sum',
  input: { add },
  ...(children && { children }),
  ...more,
});

test('a flow runs its children first and gives the parent their results', async () => {
  const { status, body, headers } = await submit(
    sum(1, [sum(10, [sum(100), { type: 'demo.noop' }]), sum(1000, [], { options: { priority: 5 } })]),
  );
  expect(status).toBe(202);
  expect(headers.get('location')).toBe(`/v1/jobs/${body.flow.id}`);
  expect(body).toMatchObject({
    id: expect.stringMatching(/^batch\./),
    accepted: 5,
    watch: { token: expect.any(String) },
  });
  expect(await ended(body.flow.id)).toMatchObject({
    state: 'completed',
    result: 1111,
    batch: body.id,
    children: body.flow.children!.map(({ id }) => id),
  });
  expect(await ended(body.flow.children![0]!.id)).toMatchObject({ result: 110, parent: body.flow.id });
});

test('the token of a flow’s reply reads each of its jobs and no other', async () => {
  const [one, other] = [await submit(sum(1, [sum(2)])), await submit(sum(1))];
  const bearer = { authorization: `Bearer ${one.body.watch.token}` };
  const read = (id: string) => call(spillway.url, 'GET', `/v1/jobs/${id}`, undefined, bearer);
  for (const { id } of membersOf(one.body.flow)) expect((await read(id)).status).toBe(200);
  expect((await read(other.body.flow.id)).status).toBe(404);
});

test('a failed child fails its parent, or is ignored, as it says', async () => {
  const bad = { type: 'test.sum', input: { fail: true } };
  const { body: strict } = await submit(sum(1, [bad, sum(2)]));
  const { body: lenient } = await submit(sum(1, [{ ...bad, onFailure: 'ignore' }, sum(2)]));
  expect(await ended(strict.flow.id)).toMatchObject({
    state: 'failed',
    error: { code: 'child_failed', message: expect.stringContaining(strict.flow.children![0]!.id) },
  });
  expect(await ended(lenient.flow.id)).toMatchObject({ state: 'completed', result: 3 });
});

test('cancelling the first parent ends all jobs of a flow that have not ended', async () => {
  const late = { options: { delayMs: 3_600_000 } };
  const { body } = await submit(sum(1, [sum(2, [sum(3, [], late)]), sum(4, [], late)]));
  const [root, ...rest] = membersOf(body.flow).map(({ id }) => id);
  const { status, body: reply } = await call(spillway.url, 'POST', `/v1/jobs/${root}/cancel`);
  expect([status, reply]).toMatchObject([200, { done: true, job: { state: 'cancelled' } }]);
  for (const id of rest) expect(await ended(id)).toMatchObject({ state: 'cancelled' });
});

test('a job that others wait for is not removed', async () => {
  const { body } = await submit(sum(1, [sum(2, [], { options: { delayMs: 3_600_000 } })]));
  const { status, body: problem } = await call(spillway.url, 'DELETE', `/v1/jobs/${body.flow.children![0]!.id}`);
  expect([status, problem]).toMatchObject([409, { code: 'not_finished' }]);
});

const deep = (levels: number): unknown => ({ type: 'test.sum', children: levels > 1 ? [deep(levels - 1)] : [] });

test.each<[string, unknown, number, Partial<Problem>]>([
  [
    'an input that does not fit',
    sum(1, [sum(2), { type: 'demo.steps', input: { steps: 'many' } }]),
    422,
    { code: 'invalid_input', errors: [{ pointer: '/flow/children/1/input/steps', message: expect.anything() }] },
  ],
  [
    'a type that nobody has',
    sum(1, [sum(2, [{ type: 'no.such' }])]),
    404,
    { code: 'unknown_type', errors: [{ pointer: '/flow/children/0/children/0/type', message: expect.anything() }] },
  ],
  [
    'a wrong option',
    sum(1, [sum(2, [], { options: { delayMs: -1 } })]),
    400,
    { code: 'invalid_request', errors: [{ pointer: '/flow/children/0/options/delayMs', message: expect.anything() }] },
  ],
  ['a policy that is none', sum(1, [sum(2, [], { onFailure: 'shrug' })]), 400, { code: 'invalid_request' }],
  ['a policy of the first job', sum(1, [], { onFailure: 'fail' }), 400, { code: 'invalid_request' }],
  ['eleven levels', deep(11), 400, { detail: expect.stringContaining('at most 10 levels') }],
  ['a hundred levels', deep(100), 400, { detail: expect.stringContaining('at most 10 levels') }],
  ['1,001 jobs', sum(1, Array(1000).fill(sum(1))), 400, { detail: expect.stringContaining('at most 1000 jobs') }],
  ['no flow', undefined, 400, { code: 'invalid_request' }],
  ['children that are no list', sum(1, 7 as never), 400, { code: 'invalid_request' }],
])('a flow with %s is refused, and nothing of it is stored', async (_what, flow, status, problem) => {
  const before = await total();
  expect(await submit<Problem>(flow)).toMatchObject({ status, body: problem });
  expect(await total()).toBe(before);
});

/** Jobs that Redis holds of the queue, ended ones included. */
async function total(): Promise<number> {
  const { body } = await call<{ counts: Record<string, number> }>(spillway.url, 'GET', '/v1/queues/sums');
  return Object.values(body.counts).reduce((sum_, count) => sum_ + count, 0);
}

test('a flow as large as may be runs to its end', async () => {
  const { status, body } = await submit(sum(0, Array(999).fill(sum(1))));
  expect([status, body.accepted]).toEqual([202, 1000]);
  expect(await ended(body.flow.id)).toMatchObject({ state: 'completed', result: 999 });
});

test('a step that finished is not run again when its worker is killed over the next one', async () => {
  const file = join(spillway.sandbox.folder, 'steps.txt');
  const { body } = await call<SubmitReply>(spillway.url, 'POST', '/v1/jobs', { type: 'test.paced', input: { file } });
  const lines = () => readFileSync(file, 'utf8').trim().split('\n');
  await until('the second step', () => lines().includes('second 1'));
  await spillway.workers[0]!.stop('SIGKILL');
  await spillway.addWorker();
  expect(await ended(body.id)).toMatchObject({ state: 'completed', result: { attempt: 1 } });
  expect(lines()).toEqual(['first 1', 'second 1', 'second 2']);
});
