import type { Redis } from '@spillway/bullmq';

/**
 * A look at the connection this often, while somebody waits for an answer on it. So many looks in a row that find no new
 * byte mean that Redis does not answer. Looks are counted and not time: a process that was itself held up for a second has
 * not listened, and finds the bytes at its next look. 0.7 s leaves room to answer a client within a second; a Redis that is
 * merely slow under load goes on sending to somebody all the while, and is waited for.
 */
const LOOK_EVERY_MS = 100;
const SILENT_LOOKS = 7;

/** Told when what was asked for will not be answered in time. */
type GiveUp = () => void;

/**
 * Whether Redis answers on one connection, told by the bytes that arrive: whoever waits for an answer is owed some, so no
 * command needs to be sent to find out. Costs nothing while nobody waits.
 */
class Silence {
  readonly #redis: Redis;
  readonly #waiting = new Set<GiveUp>();
  #timer: NodeJS.Timeout | undefined;
  #stream: unknown;
  #bytes = 0;
  #looks = 0;
  #isSilent = false;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Set from the moment at which everybody was given up until Redis says something again. */
  get isSilent(): boolean {
    if (this.#isSilent) this.#listen();
    return this.#isSilent;
  }

  wait(giveUp: GiveUp): void {
    if (this.#waiting.size === 0) {
      this.#listen();
      this.#looks = 0;
      this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    }
    this.#waiting.add(giveUp);
  }

  done(giveUp: GiveUp): void {
    this.#waiting.delete(giveUp);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#listen();
    this.#looks += 1;
    if (this.#looks < SILENT_LOOKS) return;
    this.#isSilent = true;
    for (const giveUp of [...this.#waiting]) giveUp();
  }

  #listen(): void {
    const { stream } = this.#redis as unknown as { stream?: { bytesRead?: number } };
    const bytes = stream?.bytesRead ?? 0;
    // A new connection has its own count; that it stands says nothing yet, its first bytes do.
    if (stream === this.#stream && bytes === this.#bytes) return;
    const isNew = stream !== this.#stream;
    this.#stream = stream;
    this.#bytes = bytes;
    if (isNew && bytes === 0) return;
    this.#looks = 0;
    this.#isSilent = false;
  }
}

const known = new WeakMap<Redis, Silence>();

/** The one of this connection. */
export function silenceOf(redis: Redis): Silence {
  const silence = known.get(redis) ?? new Silence(redis);
  if (!known.has(redis)) known.set(redis, silence);
  return silence;
}
