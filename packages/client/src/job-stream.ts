import type { Snapshot } from '@spillway/contracts';
import { ApiError, UnreachableError } from './api-error.ts';
import { readEventStream, type StreamEvent } from './event-stream.ts';
import type { Http } from './http.ts';

/** A stream without even a heartbeat for this long is dead, though its connection may not know. */
const SILENCE_MS = 45_000;

/** Streams do not get through to this client, or not from this server; polling does. */
export class NoStreamError extends Error {}

export interface JobStream {
  snapshot: Snapshot;
  /** What to resume from after the snapshot. */
  id: string;
  /** What follows. Throws where the stream breaks off, and ends with it. */
  rest: AsyncGenerator<StreamEvent, void, undefined>;
}

export interface JobStreamOptions {
  http: Http;
  job: string;
  /** Where an earlier stream of this job came to. */
  lastId: string | undefined;
  /** A stream that brings no byte in this time is held back by a proxy on the way. */
  firstByteMs: number;
  signal: AbortSignal;
}

/**
 * Opens the job's event stream and reads up to its first snapshot.
 * @throws NoStreamError where streams cannot be had; ApiError and UnreachableError as any call.
 */
export async function openJobStream(options: JobStreamOptions): Promise<JobStream> {
  const silence = watchSilence(options.firstByteMs);
  try {
    const stops = [options.signal, silence.signal];
    const body = await bodyOf(options, AbortSignal.any(stops));
    const rest = readEventStream(body, { heard: silence.heard, end: silence.end, stops });
    for (;;) {
      const { value, done } = await rest.next();
      if (done) throw new UnreachableError(options.job, 'expected a snapshot, got the end of the stream');
      if (value.event === 'snapshot') return { snapshot: JSON.parse(value.data) as Snapshot, id: value.id, rest };
    }
  } catch (error) {
    silence.end();
    throw silence.isUnbroken() ? new NoStreamError('no byte came', { cause: error }) : error;
  }
}

async function bodyOf(
  { http, job, lastId }: JobStreamOptions,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const headers = { accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) };
  const call = { headers, signal, timeoutMs: Number.POSITIVE_INFINITY };
  const path = `/v1/jobs/${encodeURIComponent(job)}/events`;
  const answer = await http.raw('GET', path, call).catch((error: unknown) => {
    // A server that does not know the address says this; one that does not know the job says `job_not_found`.
    if (error instanceof ApiError && error.code === 'not_found') throw new NoStreamError(error.message);
    throw error;
  });
  const type = answer.headers.get('content-type') ?? 'no content type';
  if (!answer.body || !type.startsWith('text/event-stream')) throw new NoStreamError(`got ${type}`);
  return answer.body;
}

/** Cuts off what says nothing: at first after `firstByteMs`, later after several missed heartbeats. */
function watchSilence(firstByteMs: number) {
  const cut = new AbortController();
  let unbroken = true;
  let timer = setTimeout(() => cut.abort(new Error('the stream is silent')), firstByteMs);
  return {
    signal: cut.signal,
    heard() {
      unbroken = false;
      clearTimeout(timer);
      timer = setTimeout(() => cut.abort(new Error('the stream is silent')), SILENCE_MS);
    },
    end: () => clearTimeout(timer),
    /** Whether it was cut off without having brought a byte. */
    isUnbroken: () => unbroken && cut.signal.aborted,
  };
}
