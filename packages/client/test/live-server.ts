import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import {
  applyEvent,
  type ClientToServer,
  type Command,
  type JobChange,
  type JobError,
  type JobEvent,
  type ServerToClient,
  type Snapshot,
  type WatchedJob,
  type WatchReply,
  type WatchResult,
  type WatchTarget,
} from '@spillway/contracts';
import { Server } from 'socket.io';
import { HttpSide } from './http-side.ts';

export const JOB = 'default.01JD2V9K8Q4W5X6Y7Z8A9B0C1D';

/** A token that says when it runs out, as far as a client can see. */
export function tokenFor(seconds: number, name = 'token'): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = Buffer.from(JSON.stringify({ iat: now, exp: now + seconds, sub: name })).toString('base64url');
  return `header.${payload}.signature`;
}

/** A status service in one process and without Redis: it speaks the live protocol truly, and fails on demand. */
export class LiveServer {
  readonly url: string;
  /** The targets of each `watch` that came, in order. */
  readonly asked: WatchTarget[][] = [];
  /** Tokens that came with the handshake of each connection. */
  readonly tokens: (string | undefined)[] = [];
  /** Tokens that were put in the place of those. */
  readonly refreshed: string[] = [];
  /** Commands that came, also those that were not answered. */
  readonly commands: Command[] = [];
  /** So many commands are taken but their answer is lost. */
  lostAnswers = 0;
  /** What the next watches are refused with, one each. */
  readonly refusals: JobError[] = [];
  /** A proxy on the way lets no WebSocket through. */
  blocked = false;
  readonly http: HttpSide;
  /** Sockets that connected so far. */
  connections = 0;
  /** When set, replies wait for it, so that events can overtake them. */
  gate: Promise<void> | undefined;
  /** When set, every `watch` is answered with it. */
  refusal: JobError | undefined;
  /** When set, every handshake is refused with it. */
  handshakeRefusal: JobError | undefined;
  /** Events whose position is in here are kept from the watchers. */
  readonly lost = new Set<string>();
  readonly #io: Server<ClientToServer, ServerToClient>;
  readonly #tcp = new Set<TcpSocket>();
  readonly #jobs = new Map<string, WatchedJob>();
  #position = 0;

  private constructor(http: HttpServer) {
    this.http = new HttpSide({ job: (id) => this.#jobs.get(id), jobs: () => [...this.#jobs.values()] });
    http.on('request', (request, response) => this.http.answer(request, response));
    this.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    http.on('connection', (socket) => {
      this.#tcp.add(socket);
      socket.on('close', () => this.#tcp.delete(socket));
    });
    this.#io = new Server(http, {
      transports: ['websocket'],
      allowRequest: (_request, admit) => admit(null, !this.blocked),
    });
    this.#serve();
  }

  static async start(): Promise<LiveServer> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return new LiveServer(http);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.http.cut();
    await this.#io.close();
  }

  add(id = JOB, more: Partial<WatchedJob['job']> = {}): void {
    const job = { id, type: 'demo.steps', queue: 'default', state: 'waiting', attempt: 0, attempts: 3 } as const;
    const createdAt = new Date(0).toISOString();
    this.#jobs.set(id, {
      job: { ...job, createdAt, ...more },
      cursor: { pos: this.#next(), log: 0, output: 0 },
      log: [],
      output: [],
    });
  }

  /** Something happens to the job: it is kept and told to who watches. */
  change(change: JobChange, id = JOB): JobEvent {
    const event: JobEvent = { job: id, pos: this.#next(), at: this.#position, ...change };
    this.#jobs.set(id, applyEvent(this.truth(id), event));
    if (!this.lost.has(event.pos)) this.tell([event]);
    return event;
  }

  /** The position that the next change gets. */
  get nextPosition(): string {
    return `${this.#position + 1}-0`;
  }

  tell(events: JobEvent[]): void {
    this.#io.of('/jobs').emit('events', events);
    for (const event of events) {
      for (const tag of this.#jobs.get(event.job)?.job.tags ?? [])
        this.#io.of('/jobs').emit('events', [event], { tag });
    }
    this.http.tell(events);
  }

  drain(afterMs: number): void {
    this.#io.of('/jobs').emit('drain', { afterMs });
  }

  deny(targets: WatchTarget[], error: JobError): void {
    this.#io.of('/jobs').emit('denied', { targets, error });
  }

  /** Connections that stand. */
  get connected(): number {
    return this.#io.of('/jobs').sockets.size;
  }

  resync(jobs = [JOB]): void {
    this.#io.of('/jobs').emit('resync', { targets: jobs.map((job) => ({ job })), why: 'a test says so' });
  }

  truth(id = JOB): WatchedJob {
    const job = this.#jobs.get(id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }

  /** Redis comes back as it was: what happened since is gone. */
  rollBack(to: WatchedJob): void {
    this.#jobs.set(to.job.id, to);
  }

  /** Every TCP connection breaks, without goodbye. */
  cut(): void {
    for (const socket of this.#tcp) socket.destroy();
  }

  /** Every socket is told to go, as by a process that shuts down. */
  sendAway(): void {
    this.#io.of('/jobs').disconnectSockets(true);
  }

  #serve(): void {
    const jobs = this.#io.of('/jobs');
    jobs.use((socket, next) => {
      this.tokens.push(socket.handshake.auth.token);
      const refusal = this.handshakeRefusal;
      next(refusal && Object.assign(new Error(refusal.message), { data: refusal }));
    });
    jobs.on('connection', (socket) => {
      this.connections += 1;
      socket.on('watch', async ({ targets }, ack) => {
        this.asked.push(targets);
        const refusal = this.refusals.shift() ?? this.refusal;
        const reply: WatchReply = refusal ? { error: refusal } : { results: targets.map((t) => this.#answer(t)) };
        await this.gate;
        ack(reply);
      });
      socket.on('unwatch', (_request, ack) => ack?.({ ok: true }));
      socket.on('refresh', ({ token }, ack) => {
        this.refreshed.push(token);
        ack({ expiresAt: new Date().toISOString() });
      });
      socket.on('command', (command, ack) => {
        this.commands.push(command);
        if (this.lostAnswers > 0) this.lostAnswers -= 1;
        else ack({ done: true, job: this.truth(command.job).job });
      });
    });
  }

  #answer(target: WatchTarget): WatchResult {
    if ('tag' in target) {
      const jobs = [...this.#jobs.values()].filter(({ job, removed }) => !removed && job.tags?.includes(target.tag));
      return { ...target, jobs: jobs.map((held) => ({ ...held, log: [], output: [] })), total: jobs.length };
    }
    if (!('job' in target)) throw new Error(`expected a job or a tag, got ${JSON.stringify(target)}`);
    const { job, after } = target;
    const held = this.#jobs.get(job);
    if (!held || held.removed) return { job, error: { code: 'job_not_found', message: `There is no job ${job}` } };
    // Numbers of another life are no numbers of this one.
    const from = after && after.epoch === held.cursor.epoch ? after : { log: 0, output: 0 };
    const snapshot: Snapshot = {
      ...held,
      log: held.log.filter(({ n }) => n >= from.log),
      output: held.output.filter(({ n }) => n >= from.output),
    };
    return { job, snapshot };
  }

  #next(): string {
    this.#position += 1;
    return `${this.#position}-0`;
  }
}

/** Resolves once `condition` holds; rejects after `limitMs`. */
export async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not true within ${limitMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
