import { UnrecoverableJobError } from '@spillway/worker';
import { request } from 'undici';
import type { Permit } from './addresses.ts';
import { callProblem, mayPass, openOutbound } from './outbound.ts';

/** As much of an answer as is kept; the rest is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** As much of a refusing answer as is repeated in the error. */
const QUOTED_CHARACTERS = 200;

export interface Call {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string;
}

export interface Answer {
  status: number;
  contentType: string | null;
  body: string;
  /** Whether the answer was longer than what is kept of it. */
  truncated: boolean;
  durationMs: number;
}

interface Needs {
  permit: Permit;
  signal: AbortSignal;
}

/**
 * Makes one HTTP call and returns a 2xx answer. Redirects are not followed: they would send a signed message elsewhere.
 * @throws UnrecoverableJobError where the same call would be refused again, Error where trying again may help.
 */
export async function deliver(call: Call, needs: Needs): Promise<Answer> {
  const { answer, location } = await send(call, needs);
  const refusal = refusalOf(call.url, answer, location);
  if (refusal) throw refusal;
  return answer;
}

async function send(
  { url, method, headers, body }: Call,
  { permit, signal }: Needs,
): Promise<{ answer: Answer; location: string | undefined }> {
  const agent = openOutbound(permit);
  const startedAt = performance.now();
  try {
    const response = await request(url, { dispatcher: agent, signal, method, headers, body: body || null });
    const kept = await readStart(response.body);
    const answer = {
      status: response.statusCode,
      contentType: response.headers['content-type']?.toString() ?? null,
      ...kept,
      durationMs: Math.round(performance.now() - startedAt),
    };
    return { answer, location: response.headers.location?.toString() };
  } catch (error) {
    throw callProblem(url, error, signal);
  } finally {
    await agent.destroy();
  }
}

async function readStart(body: AsyncIterable<Uint8Array>): Promise<{ body: string; truncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_ANSWER_BYTES) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES);
  return { body: bytes.toString('utf8'), truncated: sizeBytes > MAX_ANSWER_BYTES };
}

/** Why an answer is no success, as the error to throw. Pure. */
function refusalOf(url: URL, answer: Pick<Answer, 'status' | 'body'>, location?: string): Error | undefined {
  const { status } = answer;
  if (status >= 200 && status < 300) return undefined;
  if (status < 400) {
    return new UnrecoverableJobError(
      `expected a 2xx answer from ${url.host}, got ${status} to ${location ?? 'nowhere'}; redirects are not followed`,
    );
  }
  const quote = answer.body.slice(0, QUOTED_CHARACTERS).trim();
  const message = `expected a 2xx answer from ${url.host}, got ${status}${quote && `: ${quote}`}`;
  return mayPass(status) ? new Error(message) : new UnrecoverableJobError(message);
}
