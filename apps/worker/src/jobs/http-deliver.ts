import { defineJob, Type } from '@spillway/worker';
import { outboundUrl } from '../outbound-url.ts';
import { RequestHeaders } from '../request-headers.ts';
import { settings } from '../settings.ts';
import { webhookHeaders } from '../signature.ts';

export const httpDeliver = defineJob({
  type: 'http.deliver',
  queue: 'deliveries',
  title: 'Deliver an HTTP call',
  description: 'Calls a URL until it answers 2xx, signed as in Standard Webhooks. Job id and webhook-id are the same.',
  examples: [{ url: 'https://example.com/hooks', method: 'POST', body: { event: 'order.paid', order: 1234 } }],
  attempts: 5,
  backoff: { type: 'exponential', delayMs: 5000, jitter: 0.5 },
  timeoutMs: 60_000,
  input: Type.Object(
    {
      url: Type.String({ pattern: '^https?://', maxLength: 2048, 'x-expected': 'an http(s) URL' }),
      method: Type.Enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'], { default: 'POST' }),
      headers: Type.Optional(RequestHeaders),
      body: Type.Optional(Type.Unknown({ description: 'sent as JSON' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    status: Type.Integer(),
    contentType: Type.Union([Type.String(), Type.Null()]),
    body: Type.String({ description: 'the first 64 KB of the answer' }),
    truncated: Type.Boolean(),
    durationMs: Type.Integer(),
  }),
  async run({ id, attempt, input, signal, progress, log }) {
    // Opened with the first delivery, as no other job needs its HTTP client.
    const { deliver } = await import('../delivery.ts');
    const { permit, signingKey } = settings();
    const { method } = input;
    const url = outboundUrl(input.url);
    const body = input.body === undefined ? '' : JSON.stringify(input.body);
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Spillway',
      ...lowerCased(input.headers),
      ...webhookHeaders({ id, body, timestampSeconds: Math.floor(Date.now() / 1000) }, signingKey),
    };
    if (!signingKey) log('not signed: SPILLWAY_DELIVER_SECRET is not set');
    progress(0, `${method} ${url.host}, attempt ${attempt}`);
    const answer = await deliver({ url, method, headers, body }, { permit, signal });
    log(`${method} ${url.host}: ${answer.status} in ${answer.durationMs} ms`);
    progress(1, `answered ${answer.status}`);
    return answer;
  },
});

/** Header names mean the same in any case; two that differ in case only would both be sent. */
function lowerCased(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
