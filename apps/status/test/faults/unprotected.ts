import { isFinal, type JobEvent, type LogLine, type Snapshot } from '@spillway/contracts';
import { closeRedis, connectRedis } from '@spillway/queue/connection';
import { until } from '@spillway/testkit';
import { io } from 'socket.io-client';
import type { LinesJob } from './stage.ts';

/** Somebody who follows a job without the protection that is under test, to show that a fault is one. */
export interface Unprotected extends AsyncDisposable {
  /** Whether its connection was lost. */
  readonly wasCut: boolean;
  readonly sawEnd: boolean;
  /** How many of the job's lines it has not seen. */
  readonly missing: number;
  /** How often it was told that continuity is lost; it takes no notice. */
  readonly resyncs: number;
}

/**
 * A page as it is wired by hand: it joins once and leaves the rest to Socket.IO, which reconnects. It never asks again, and
 * has no cursor. Resolves once it watches.
 */
export async function joinOnce(url: string, job: LinesJob): Promise<Unprotected> {
  const seen = new Seen(job);
  const socket = io(`${url}/jobs`, { transports: ['websocket'], forceNew: true });
  socket.on('events', (events: JobEvent[]) => {
    for (const event of events) {
      if (event.kind === 'report') seen.addLines(event.log);
      if (event.kind === 'state' && isFinal(event.state)) seen.sawEnd = true;
    }
  });
  socket.on('resync', () => {
    seen.resyncs += 1;
  });
  socket.on('disconnect', () => {
    seen.wasCut = true;
  });
  const { results } = (await socket.timeout(10_000).emitWithAck('watch', { targets: [{ job: job.id }] })) as {
    results: [{ snapshot: Snapshot }];
  };
  seen.addLines(results[0].snapshot.log);
  seen.close = async () => void socket.close();
  return seen;
}

/**
 * A reader of the event stream as tutorials have it: it starts at `$`, and again after a lost connection. Resolves once it
 * reads. It comes back only when the job went on meanwhile, which else is a matter of luck. In CLIENT LIST it is
 * `spillway:plain:feed`.
 */
export async function readFromNow(redisUrl: string, stream: string, job: LinesJob): Promise<Unprotected> {
  const seen = new Seen(job);
  const control = connectRedis(redisUrl, 'worker', 'plain', () => undefined);
  const last = async () => (await control.xrevrange(stream, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0-0';
  const wentOn = async () => (await control.xrange(stream, `(${pos}`, '+')).some(([, fields]) => seen.isNews(fields));
  let closed = false;
  let pos = '';
  let end = () => {};

  async function readUntilCut(): Promise<void> {
    const reads = connectRedis(redisUrl, 'feed', 'plain', () => undefined);
    const cut = new Promise<'cut'>((resolve) => {
      reads.once('close', () => resolve('cut'));
      end = () => reads.disconnect();
    });
    pos = await last();
    for (;;) {
      const news = reads.xread('BLOCK', 5000, 'STREAMS', stream, pos) as Promise<[string, Entry[]][] | null>;
      const reply = await Promise.race([news.catch(() => null), cut]);
      if (reply === 'cut') return reads.disconnect();
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        seen.addEntry(fields);
        pos = id;
      }
    }
  }
  async function read(): Promise<void> {
    while (!closed) {
      await readUntilCut();
      if (!closed) seen.wasCut = true;
      await until('the job to go on', async () => closed || wentOn(), OUTAGE_MAX_MS);
    }
  }
  const reading = read();
  await until('the reader to read', () => pos !== '');
  seen.close = async () => {
    closed = true;
    end();
    await reading;
    await closeRedis(control);
  };
  return seen;
}

/** Longer than any outage here lasts. */
const OUTAGE_MAX_MS = 60_000;

type Entry = [pos: string, fields: string[]];

class Seen implements Unprotected {
  readonly #job: LinesJob;
  readonly #lines = new Set<string>();
  resyncs = 0;
  wasCut = false;
  sawEnd = false;
  close: () => Promise<void> = async () => undefined;

  constructor(job: LinesJob) {
    this.#job = job;
  }

  get missing(): number {
    return this.#job.steps - this.#lines.size;
  }

  addLines(log: readonly LogLine[] = []): void {
    for (const { line } of log) this.#lines.add(line);
  }

  /** An entry of the event stream, as it stands in Redis. */
  addEntry(fields: readonly string[]): void {
    if (!fields.includes(this.#job.id)) return;
    for (const line of linesOf(fields)) this.#lines.add(line);
    if (fields.includes('completed')) this.sawEnd = true;
  }

  /** Whether an entry has lines of the job that were not seen yet. */
  isNews(fields: readonly string[]): boolean {
    return fields.includes(this.#job.id) && linesOf(fields).some((line) => !this.#lines.has(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function linesOf(fields: readonly string[]): string[] {
  const at = fields.indexOf('log');
  return at < 0 ? [] : (JSON.parse(fields[at + 1] ?? '[]') as string[]);
}
