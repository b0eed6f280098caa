import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { UnrecoverableJobError } from '@spillway/worker';
import { type Agent, type Dispatcher, request } from 'undici';
import type { Permit } from './addresses.ts';
import { callProblem, mayPass, openOutbound, type Resolve } from './outbound.ts';
import { outboundUrl } from './outbound-url.ts';

const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface Download {
  name: string;
  sizeBytes: number | undefined;
  stream: Readable;
}

/**
 * Gets a URL as a stream that fails once it has given more than `maxBytes`. Redirects are followed three times, each to
 * an address that is checked like the first. The connection is closed with the stream.
 * @throws UnrecoverableJobError where trying again cannot help, Error where it may.
 */
export async function download(
  url: URL,
  { permit, signal, maxBytes, resolve }: { permit: Permit; signal: AbortSignal; maxBytes: number; resolve?: Resolve },
): Promise<Download> {
  const agent = openOutbound(permit, resolve);
  try {
    const { at, response } = await follow(url, agent, signal);
    const length = Number(response.headers['content-length'] ?? Number.NaN);
    const stream = Readable.from(bounded(at, response.body, maxBytes, signal), { objectMode: false });
    stream.once('close', () => void agent.destroy());
    return {
      name: nameOf(at),
      sizeBytes: Number.isFinite(length) ? length : undefined,
      stream,
    };
  } catch (error) {
    await agent.destroy();
    throw error;
  }
}

async function follow(
  url: URL,
  agent: Agent,
  signal: AbortSignal,
): Promise<{ at: URL; response: Dispatcher.ResponseData }> {
  let at = outboundUrl(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await get(at, agent, signal);
    const { location } = response.headers;
    if (!REDIRECTS.has(response.statusCode) || typeof location !== 'string') {
      refuse(at, response);
      return { at, response };
    }
    response.body.destroy();
    at = outboundUrl(new URL(location, at));
  }
  throw new UnrecoverableJobError(`expected ${url.host} to answer within ${MAX_REDIRECTS} redirects, got more`);
}

async function get(url: URL, agent: Agent, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  try {
    // Bytes as they are: a compressed answer would be neither the file nor of the size that is declared.
    const headers = { accept: '*/*', 'accept-encoding': 'identity' };
    const response = await request(url, { dispatcher: agent, signal, headers });
    // Whoever reads the body gets its error; that of a body that nobody reads must not end the process.
    response.body.on('error', () => undefined);
    return response;
  } catch (error) {
    throw callProblem(url, error, signal);
  }
}

function refuse(url: URL, { statusCode, body }: Dispatcher.ResponseData): void {
  if (statusCode >= 200 && statusCode < 300) return;
  body.destroy();
  const message = `expected a file from ${url.host}, got status ${statusCode}`;
  if (mayPass(statusCode)) throw new Error(message);
  throw new UnrecoverableJobError(message);
}

function nameOf(url: URL): string {
  const last = posix.basename(url.pathname);
  try {
    return decodeURIComponent(last) || url.hostname;
  } catch {
    // A stray percent sign; the name is for people, so it may stay as it is.
    return last;
  }
}

async function* bounded(url: URL, body: Readable, maxBytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += (chunk as Uint8Array).byteLength;
      if (sizeBytes > maxBytes)
        throw new UnrecoverableJobError(`expected a file of at most ${maxBytes} bytes, got more`);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw callProblem(url, error, signal);
  }
}
