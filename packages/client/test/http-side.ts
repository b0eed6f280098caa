import type { IncomingMessage, ServerResponse } from 'node:http';
import { isFinal, type JobEvent, type WatchedJob } from '@spillway/contracts';

/** What the HTTP side looks at and counts. */
export interface HttpSideHost {
  job(id: string): WatchedJob | undefined;
  jobs(): WatchedJob[];
}

/** api and its event streams as far as a watcher needs them: /healthz, jobs with log and output, streams, tokens, cancel. */
export class HttpSide {
  /** Requests that came, as `GET /v1/jobs/x`. */
  readonly requests: string[] = [];
  /** The `Last-Event-ID` of each stream that was opened; `-` where there was none. */
  readonly resumed: string[] = [];
  /** Bearer tokens that were shown, in order. */
  readonly tokens: (string | undefined)[] = [];
  /** A proxy on the way keeps what streams write. */
  holdsBack = false;
  /** Nobody answers. */
  away = false;
  /** What `POST /v1/tokens` gives next. */
  newTokens: string[] = [];
  readonly #host: HttpSideHost;
  readonly #streams = new Map<ServerResponse, string>();

  constructor(host: HttpSideHost) {
    this.#host = host;
  }

  get streams(): number {
    return this.#streams.size;
  }

  answer(request: IncomingMessage, response: ServerResponse) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://test');
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', '*');
    if (this.away) return void request.socket.destroy();
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    this.requests.push(`${request.method} ${pathname}`);
    this.tokens.push(request.headers.authorization?.replace('Bearer ', ''));
    if (pathname === '/healthz') return json(response, 200, { ok: true });
    if (pathname === '/v1/tokens') return json(response, 200, { token: this.newTokens.shift() });
    if (pathname === '/v1/jobs') return this.#list(response, searchParams);
    const [, id = '', part] = /^\/v1\/jobs\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
    const held = this.#host.job(id);
    if (!held || held.removed) return problem(response, 404, 'job_not_found');
    this.#answerJob(held, part, request, response, Number(searchParams.get('after') ?? 0));
  }

  /** Tells who has a stream of the job. */
  tell(events: JobEvent[]): void {
    for (const [response, id] of this.#streams) {
      const own = events.filter(({ job }) => job === id);
      const held = this.#host.job(id);
      if (own.length === 0 || !held) continue;
      send(response, 'events', own, idOf(held));
      if (isFinal(held.job.state)) response.end();
    }
  }

  /** Sends a snapshot in the middle of a stream, as after a gap. */
  snapshot(id: string): void {
    const held = this.#host.job(id);
    for (const [response, job] of this.#streams) if (job === id && held) send(response, 'snapshot', held, idOf(held));
  }

  /** Every stream breaks off. */
  cut(): void {
    for (const response of this.#streams.keys()) response.destroy();
  }

  #answerJob(
    held: WatchedJob,
    part: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    after: number,
  ) {
    const { job, cursor, log, output } = held;
    if (part === 'events') return this.#stream(held, request, response);
    if (part === 'cancel') return json(response, 200, { done: true, job });
    if (part === 'log')
      return json(response, 200, { lines: log.filter(({ n }) => n >= after), first: 0, next: cursor.log });
    if (part === 'output') {
      return json(response, 200, { chunks: output.filter(({ n }) => n >= after), first: 0, next: cursor.output });
    }
    const etag = JSON.stringify(`${job.state} ${job.progress?.fraction}`);
    response.setHeader('etag', etag);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
    json(response, 200, job);
  }

  #stream(held: WatchedJob, request: IncomingMessage, response: ServerResponse): void {
    const lastId = request.headers['last-event-id'] as string | undefined;
    this.resumed.push(lastId ?? '-');
    response.on('close', () => this.#streams.delete(response));
    if (this.holdsBack) return;
    this.#streams.set(response, held.job.id);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const [, log = 0, output = 0] = (lastId ?? '').split('~').map(Number);
    const rest = {
      ...held,
      log: held.log.filter(({ n }) => n >= log),
      output: held.output.filter(({ n }) => n >= output),
    };
    response.write(': welcome\n\n');
    send(response, 'snapshot', rest, idOf(held));
    if (isFinal(held.job.state)) response.end();
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const tag = query.get('tag');
    const jobs = this.#host.jobs().flatMap(({ job }) => (tag && job.tags?.includes(tag) ? [job] : []));
    json(response, 200, { jobs });
  }
}

function idOf({ cursor }: WatchedJob): string {
  return `${cursor.pos}~${cursor.log}~${cursor.output}`;
}

function send(response: ServerResponse, event: string, data: unknown, id: string): void {
  response.write(`event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, code: string): void {
  json(response, status, {
    type: `urn:spillway:error:${code}`,
    title: code,
    status,
    code,
    detail: code,
    retryable: false,
  });
}
