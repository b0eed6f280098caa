import {
  type CleanReply,
  type CleanRequest,
  type ControlReply,
  type DrainReply,
  type DrainRequest,
  type FileInfo,
  type FlowNode,
  type FlowReply,
  isFinal,
  type Job,
  type JobList,
  type JobListQuery,
  type JobOptions,
  type JobPatch,
  type JobType,
  type LogPage,
  type OutputPage,
  type QueueInfo,
  type QueueLimits,
  type QueueLimitsRequest,
  type RetryFailedReply,
  type RetryFailedRequest,
  type ScalingReply,
  type SetTarget,
  type SubmitReply,
  type WorkerInfo,
} from '@spillway/contracts';
import { JobFailedError } from './api-error.ts';
import { type BatchCalls, batchCalls } from './batch-calls.ts';
import { LINES_MAX } from './bounded.ts';
import { type Credentials, fixedKey, renewableToken } from './credentials.ts';
import { fallbackTransport } from './fallback-transport.ts';
import { createHttp, type Http } from './http.ts';
import { httpTransport } from './http-transport.ts';
import type { JobWatch } from './job-watch.ts';
import { type KeptJobs, keepJobs, type StorageLike, sessionStore } from './kept-jobs.ts';
import type { LiveConnection } from './live.ts';
import { Lives } from './lives.ts';
import { newKey, untilAnswered } from './repeat.ts';
import { type ScheduleCalls, scheduleCalls } from './schedule-calls.ts';
import type { SetWatch } from './set-watch.ts';
import { socketTransport } from './socket-transport.ts';

export interface ClientOptions {
  /** Where api answers, e.g. `http://127.0.0.1:3000`; may end in a path where a proxy puts Spillway under one. */
  baseUrl: string;
  /** Sent as a bearer token and in the live handshake. For servers and tools: a browser gets a token instead. */
  key?: string | undefined;
  /** A watch token in the place of a key, e.g. the one of a submit's reply. It is renewed before it runs out. */
  token?: string | undefined;
  /**
   * Where tokens come from: the first, if `token` names none, and each next one. Without it a token is renewed by
   * showing it to `POST /v1/tokens`, which works until it has run out.
   */
  getToken?: (() => Promise<string>) | undefined;
  /**
   * Keeps what is held of watched jobs across a reload of the page: `session` in the tab's own storage, or wherever
   * else. Shown at once and continued from there; gone when the job has ended, or after a day.
   */
  store?: 'session' | StorageLike | undefined;
  /** Log lines, and output chunks, that a watch holds; the oldest are dropped. 5,000 by default. */
  linesMax?: number;
  fetch?: typeof globalThis.fetch;
  /** For tests, and for networks that are not as expected. */
  timing?: Partial<LiveTiming>;
}

/** How live connections look for their way. */
export interface LiveTiming {
  /** Between two looks at a job that is polled: 2 s, give or take a quarter. */
  pollMs: number;
  /** A stream without a byte for this long does not get through: 10 s. */
  firstByteMs: number;
  /** Before a WebSocket is tried again while HTTP serves: 60 s. */
  tryAgainMs: number;
}

export interface SubmitOptions extends JobOptions {
  /**
   * Makes the submit the same one whoever repeats it, within a day: after a restart, from another process. Without one,
   * each call has a key of its own, which covers its own tries only.
   */
  idempotencyKey?: string | undefined;
  signal?: AbortSignal;
}

/** What pausing or resuming found and did. */
export interface QueueControlReply {
  done: boolean;
  queue: QueueInfo;
}

/** By what right a command is given, and why. */
export interface CommandOptions {
  token?: string | undefined;
  reason?: string | undefined;
}

/** Every method rejects with ApiError where the server refuses and with UnreachableError where nobody answers. */
export interface Client extends ScheduleCalls {
  /**
   * Tried again for some seconds where nobody answers, or the server says 503, and after the time that a full queue tells,
   * where that is at most 10 s; it makes one job however often that is.
   */
  submit(type: string, input?: unknown, options?: SubmitOptions): Promise<SubmitReply>;
  /**
   * Submits a tree of jobs, all or none: children run first, and their parents get their results. `watchAll` follows them
   * by `{ batch: reply.id }`.
   */
  submitFlow(flow: FlowNode, options?: { signal?: AbortSignal }): Promise<FlowReply>;
  readonly batches: BatchCalls;
  /** With `waitMs`, answers as soon as the job is final, at the latest after that time. */
  get(id: string, options?: { waitMs?: number; signal?: AbortSignal }): Promise<Job>;
  list(query?: Omit<JobListQuery, 'limit'> & { limit?: number }): Promise<JobList>;
  /** `after` is the number of the first line that is wanted: `next` of the page before. */
  log(id: string, options?: { after?: number }): Promise<LogPage>;
  output(id: string, options?: { after?: number }): Promise<OutputPage>;
  /**
   * Waits for the job's end and gives its result.
   * @throws JobFailedError when the job failed or was cancelled.
   */
  result(id: string, options?: { signal?: AbortSignal }): Promise<unknown>;
  /** Follows the job live to its end. With `token`, by the right of that one, e.g. the one that came with the submit's reply. */
  watch(id: string, options?: { token?: string | undefined }): JobWatch;
  /** Follows all jobs of a batch or with a tag. */
  watchAll(of: SetTarget, options?: { token?: string | undefined }): SetWatch;
  /**
   * An order to a job over the live connection: sent again until the server has answered, and one effect however often
   * it arrives. `cancel` is the same over HTTP, once.
   */
  command(job: string, order: 'cancel', options?: CommandOptions): Promise<ControlReply>;
  /** `job.state` of the reply is `active` where a worker runs the job: it is told to stop within a second. */
  cancel(id: string, options?: { reason?: string | undefined }): Promise<ControlReply>;
  retry(id: string): Promise<ControlReply>;
  remove(id: string): Promise<void>;
  /** Changes the priority of a job that waits, or how long it waits from now on; `delayMs: 0` makes it due. */
  change(id: string, patch: JobPatch): Promise<ControlReply>;
  /** Lets a delayed job start now. `done` is false where it was due already. */
  promote(id: string): Promise<ControlReply>;
  types(): Promise<JobType[]>;
  type(name: string): Promise<JobType>;
  queues(): Promise<QueueInfo[]>;
  /** `done` is false where the queue was paused already. */
  pause(queue: string): Promise<QueueControlReply>;
  resume(queue: string): Promise<QueueControlReply>;
  limits(queue: string): Promise<QueueLimits>;
  /** Replaces all limits of the queue: what is null or absent has none afterwards. */
  setLimits(queue: string, limits: QueueLimitsRequest): Promise<QueueLimits>;
  /** Runs failed jobs of a queue again, a part of them in each call: while `more` is true, ask again with the `cursor`. */
  retryFailed(queue: string, filter?: RetryFailedRequest): Promise<RetryFailedReply>;
  /** Cancels what waits in a queue, a part of it in each call: while `more` is true, ask again. */
  drain(queue: string, request?: DrainRequest): Promise<DrainReply>;
  /** Forgets jobs that have ended, a part of them in each call: while `more` is true, ask again with the `cursor`. */
  clean(queue: string, request: CleanRequest): Promise<CleanReply>;
  workers(): Promise<WorkerInfo[]>;
  /** What each queue was measured to do, and how many workers it needs so that its jobs start within `targetWaitMs`. */
  scaling(query?: { targetWaitMs?: number }): Promise<ScalingReply>;
  /** Stores a file; `ref` of the answer is what an input takes. A `File` brings its name. */
  upload(file: Blob, options?: { name?: string; signal?: AbortSignal }): Promise<FileInfo>;
  /** Fetches what a `url` in an output or result names. Refuses addresses of other servers: the key is not theirs. */
  download(url: string): Promise<Blob>;
  readonly connection: LiveConnection;
  /** Ends all watches and the live connection. The client can be used again afterwards. */
  close(): void;
}

/** How long one question for a job's end waits before it is put again; proxies cut longer ones. */
const RESULT_WAIT_MS = 25_000;
/** Pause after a server that does not wait, so that asking again is no storm. */
const RESULT_PAUSE_MS = 1_000;

const TIMING: LiveTiming = { pollMs: 2_000, firstByteMs: 10_000, tryAgainMs: 60_000 };
/** A browser has six connections for one host, and calls need some as well. */
const STREAMS_MAX = 4;
/** An answer to "are you there?" that takes longer is none. */
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Nothing is sent until a method is called.
 * @throws TypeError for an address that is none, and for a key beside a token.
 */
export function createClient(options: ClientOptions): Client {
  const setup: Setup = {
    baseUrl: baseOf(options.baseUrl),
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    timing: { ...TIMING, ...options.timing },
  };
  const credentials = credentialsOf(setup, options);
  const http = createHttp({ ...setup, credentials });
  const lives = new Lives({
    createTransport: (shown) => transportOf(setup, shown),
    credentials,
    credentialsOf: (token) => tokenOf(setup, token),
    linesMax: options.linesMax ?? LINES_MAX,
    kept: keptOf(setup, options.store),
  });
  return {
    ...jobCalls(http),
    ...systemCalls(http),
    ...scheduleCalls(http),
    ...fileCalls(http, setup.baseUrl),
    batches: batchCalls(http),
    watch: (id, { token } = {}) => lives.watch(id, token),
    watchAll: (of, { token } = {}) => lives.watchAll(of, token),
    command: (job, order, { token, reason } = {}) => lives.command({ job, do: order, reason }, token),
    connection: lives,
    close: () => lives.close(),
  };
}

interface Setup {
  baseUrl: string;
  fetch: typeof globalThis.fetch;
  timing: LiveTiming;
}

function credentialsOf(setup: Setup, { key, token, getToken }: ClientOptions): Credentials {
  if (key !== undefined && (token !== undefined || getToken))
    throw new TypeError('Expected a key or a token, got both');
  if (getToken) return renewableToken({ token, next: getToken });
  return token === undefined ? fixedKey(key) : tokenOf(setup, token);
}

/** A token that is renewed by showing it. */
function tokenOf(setup: Setup, first: string): Credentials {
  return renewableToken({
    token: first,
    async next(token) {
      const http = createHttp({ ...setup, credentials: fixedKey(token) });
      return (await http.json<{ token: string }>('POST', '/v1/tokens', { body: {} })).token;
    },
  });
}

function transportOf(setup: Setup, credentials: Credentials) {
  const { baseUrl, timing } = setup;
  const http = createHttp({ ...setup, credentials });
  const probe = () =>
    http.raw('GET', '/healthz', { timeoutMs: PROBE_TIMEOUT_MS }).then(
      () => true,
      () => false,
    );
  return fallbackTransport({
    socket: socketTransport({ baseUrl, credentials }),
    http: httpTransport({ http, probe, streams: STREAMS_MAX, ...timing }),
    probe,
    tryAgainMs: timing.tryAgainMs,
  });
}

function keptOf({ baseUrl }: Setup, store: ClientOptions['store']): KeptJobs | undefined {
  const storage = store === 'session' ? sessionStore() : store;
  return storage && keepJobs(storage, baseUrl);
}

type JobCalls =
  | ('submit' | 'submitFlow' | 'get' | 'list' | 'log' | 'output' | 'result')
  | ('cancel' | 'retry' | 'remove' | 'change' | 'promote');

function jobCalls(http: Http): Pick<Client, JobCalls> {
  const at = (id: string, part = '') => `/v1/jobs/${encodeURIComponent(id)}${part}`;
  const get: Client['get'] = (id, { waitMs = 0, signal } = {}) =>
    http.json<Job>('GET', at(id), {
      query: waitMs > 0 ? { wait: Math.ceil(waitMs / 1000) } : {},
      signal,
      timeoutMs: waitMs + 15_000,
    });
  return {
    submitFlow: (flow, options) => http.json<FlowReply>('POST', '/v1/flows', { body: { flow }, ...options }),
    submit(type, input, { signal, idempotencyKey = newKey(), ...options } = {}) {
      const body = { type, input, ...(Object.keys(options).length > 0 && { options }) };
      const headers = { 'idempotency-key': idempotencyKey };
      return untilAnswered(() => http.json<SubmitReply>('POST', '/v1/jobs', { body, headers, signal }), signal);
    },
    get,
    list: (query = {}) => http.json<JobList>('GET', '/v1/jobs', { query }),
    log: (id, query = {}) => http.json<LogPage>('GET', at(id, '/log'), { query }),
    output: (id, query = {}) => http.json<OutputPage>('GET', at(id, '/output'), { query }),
    async result(id, { signal } = {}) {
      for (;;) {
        const askedAt = Date.now();
        const job = await get(id, { waitMs: RESULT_WAIT_MS, ...(signal && { signal }) });
        if (isFinal(job.state)) return resultOf(job);
        if (Date.now() - askedAt < RESULT_PAUSE_MS) await pause(RESULT_PAUSE_MS);
      }
    },
    cancel: (id, { reason } = {}) => http.json<ControlReply>('POST', at(id, '/cancel'), { body: reason && { reason } }),
    retry: (id) => http.json<ControlReply>('POST', at(id, '/retry')),
    remove: (id) => http.empty('DELETE', at(id)),
    change: (id, patch) => http.json<ControlReply>('PATCH', at(id), { body: patch }),
    promote: (id) => http.json<ControlReply>('POST', at(id, '/promote')),
  };
}

function systemCalls(
  http: Http,
): Pick<
  Client,
  | 'types'
  | 'type'
  | 'queues'
  | 'limits'
  | 'setLimits'
  | 'pause'
  | 'resume'
  | 'retryFailed'
  | 'drain'
  | 'clean'
  | 'workers'
  | 'scaling'
> {
  const queue = (name: string, action: string) => `/v1/queues/${encodeURIComponent(name)}/${action}`;
  return {
    types: async () => (await http.json<{ types: JobType[] }>('GET', '/v1/types')).types,
    type: (name) => http.json<JobType>('GET', `/v1/types/${encodeURIComponent(name)}`),
    queues: async () => (await http.json<{ queues: QueueInfo[] }>('GET', '/v1/queues')).queues,
    limits: (name) => http.json<QueueLimits>('GET', queue(name, 'limits')),
    setLimits: (name, limits) => http.json<QueueLimits>('PUT', queue(name, 'limits'), { body: limits }),
    pause: (name) => http.json<QueueControlReply>('POST', queue(name, 'pause')),
    resume: (name) => http.json<QueueControlReply>('POST', queue(name, 'resume')),
    retryFailed: (name, filter = {}) =>
      http.json<RetryFailedReply>('POST', queue(name, 'retry-failed'), { body: filter }),
    drain: (name, request = {}) => http.json<DrainReply>('POST', queue(name, 'drain'), { body: request }),
    clean: (name, request) => http.json<CleanReply>('POST', queue(name, 'clean'), { body: request }),
    workers: async () => (await http.json<{ workers: WorkerInfo[] }>('GET', '/v1/workers')).workers,
    scaling: (query = {}) => http.json('GET', '/v1/scaling', { query }),
  };
}

function fileCalls(http: Http, baseUrl: string): Pick<Client, 'upload' | 'download'> {
  return {
    upload(file, { name, signal } = {}) {
      const form = new FormData();
      form.append('file', file, name ?? (file instanceof File ? file.name : 'file'));
      return http.json<FileInfo>('POST', '/v1/files', { body: form, signal, timeoutMs: Number.POSITIVE_INFINITY });
    },
    async download(url) {
      const { origin, pathname, search } = new URL(url, baseUrl);
      if (origin !== new URL(baseUrl).origin) throw new TypeError(`Expected an address at ${baseUrl}, got ${url}`);
      return http.blob(pathname + search, { timeoutMs: Number.POSITIVE_INFINITY });
    },
  };
}

function resultOf(job: Job): unknown {
  if (job.state !== 'completed') throw new JobFailedError(job);
  return job.result;
}

function baseOf(baseUrl: string): string {
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new TypeError(`Expected baseUrl to be an http or https address, e.g. http://127.0.0.1:3000, got ${baseUrl}`);
  }
  return baseUrl.replace(/\/+$/, '');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
