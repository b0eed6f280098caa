import { ERRORS, type ErrorCode, type Scope } from '@spillway/contracts';
import { Type } from '@spillway/schema';
import type { TokenUse } from '../plugins/access.ts';

/** Documents the problems that a route may answer with. 401 and 403 come with the scope, 503 with Redis and tokens. */
export function problems(...codes: ErrorCode[]) {
  const byStatus = new Map<number, string[]>();
  for (const code of [
    ...codes,
    'unauthorized',
    'token_expired',
    'token_revoked',
    'forbidden',
    'unavailable',
  ] as const) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      { description: names.join(', '), content: { 'application/problem+json': { schema: Type.Ref('Problem') } } },
    ]),
  );
}

export const JobParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 128, description: 'the job’s id' }),
});

export const BatchParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 128, description: 'the batch’s id' }),
});

/** How long a request may wait for a job, in seconds: proxies in between commonly cut at 60. */
export const WAIT_MAX_S = 55;

export const WaitSeconds = Type.String({
  pattern: '^([0-9]|[1-4][0-9]|5[0-5])$',
  description: `seconds to wait for the job's end, 0 to ${WAIT_MAX_S}`,
  'x-expected': `whole seconds from 0 to ${WAIT_MAX_S}`,
});

const NUMBER = { pattern: '^[0-9]{1,9}$', 'x-expected': 'a whole number of at most nine digits' };

/** Numbers come as text in a query, and nothing is coerced, so a wrong one is refused instead of guessed at. */
export const RangeQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ ...NUMBER, description: 'number of the first one wanted; 0 by default' })),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]{0,2}|1000)$',
        description: 'at most this many; 1 to 1000, 1000 by default',
        'x-expected': 'a whole number from 1 to 1000',
      }),
    ),
  },
  { additionalProperties: false },
);

/** What a key needs to use the route, and what a token does, where one is taken at all. */
export function scoped(scope: Scope, token?: TokenUse) {
  return { scope, ...(token && { token }) };
}
