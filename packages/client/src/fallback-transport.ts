import type { Command, CommandReply, RefreshReply, WatchReply, WatchTarget } from '@spillway/contracts';
import type {
  CreateLine,
  CreateTransport,
  DownReason,
  LineListener,
  Transport,
  TransportListener,
} from './transport.ts';

export interface FallbackOptions {
  /** The line that is wanted. */
  socket: CreateLine;
  /** The line that is used where the wanted one does not get through. */
  http: CreateTransport;
  /** Whether the server answers over HTTP: only then is it the WebSocket that does not get through. */
  probe: () => Promise<boolean>;
  /** Pause before a WebSocket is tried again while HTTP serves. */
  tryAgainMs: number;
}

/** Failed attempts in a row after which the other way is looked at. */
const FAILED_ATTEMPTS = 2;

/** One way to the server; a line that has not come up yet, or is being left, is no more than a candidate. */
interface Line {
  readonly transport: Transport;
  readonly isSocket: boolean;
  /** Questions without an answer. */
  asked: number;
}

/**
 * Keeps the best line there is: a WebSocket, or HTTP while WebSockets do not get through. A line is only left for one that
 * stands, and only once what is watched has been answered there; cursors make what both of them say count once.
 */
export function fallbackTransport(options: FallbackOptions): CreateTransport {
  return (listener) => new FallbackTransport(options, listener);
}

class FallbackTransport implements Transport {
  readonly #options: FallbackOptions;
  readonly #listener: TransportListener;
  #current: Line;
  /** The line that takes the place of the current one as soon as it is up. */
  #next: Line | undefined;
  /** The line before, which goes on telling until everything was answered on the current one. */
  #left: Line | undefined;
  #failed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: FallbackOptions, listener: TransportListener) {
    this.#options = options;
    this.#listener = listener;
    this.#current = this.#makeLine('socket');
  }

  open(): void {
    this.#current.transport.open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const line of [this.#current, this.#next, this.#left]) line?.transport.close();
  }

  async watch(targets: WatchTarget[]): Promise<WatchReply> {
    const line = this.#current;
    line.asked += 1;
    let answered = false;
    try {
      const reply = await line.transport.watch(targets);
      answered = !('error' in reply);
      return reply;
    } finally {
      line.asked -= 1;
      if (answered && line.asked === 0 && line === this.#current) this.#leaveOld();
    }
  }

  unwatch(targets: WatchTarget[], areOver?: boolean): void {
    for (const line of [this.#current, this.#left]) line?.transport.unwatch(targets, areOver);
  }

  command(command: Command): Promise<CommandReply> {
    return this.#current.transport.command(command);
  }

  refresh(token: string): Promise<RefreshReply> {
    return this.#current.transport.refresh(token);
  }

  #makeLine(way: 'socket' | 'http'): Line {
    const { socket, http } = this.#options;
    const isSocket = way === 'socket';
    let line: Line | undefined;
    const when = (holds: (line: Line) => boolean, tell: () => void) => {
      if (!this.#closed && line && holds(line)) tell();
    };
    const isCurrent = (one: Line) => one === this.#current;
    const tells = (one: Line) => one === this.#current || one === this.#left;
    const listener: LineListener = {
      up: (via) => when(Boolean, () => this.#up(line as Line, via)),
      down: (why) => when(Boolean, () => this.#down(line as Line, why)),
      events: (events, set) => when(tells, () => this.#listener.events(events, set)),
      snapshot: (snapshot, set) => when(isCurrent, () => this.#listener.snapshot(snapshot, set)),
      aggregate: (batch) => when(isCurrent, () => this.#listener.aggregate(batch)),
      resync: (targets) => when(isCurrent, () => this.#listener.resync(targets)),
      denied: (targets, error) => when(isCurrent, () => this.#listener.denied(targets, error)),
      drain: (afterMs) => when(isCurrent, () => this.#later(afterMs, () => this.#openNext())),
      refused: (error) => {
        when(isCurrent, () => this.#listener.refused(error));
        when(
          (one) => one === this.#next,
          () => this.#dropNext(),
        );
      },
    };
    line = { transport: (isSocket ? socket : http)(listener), isSocket, asked: 0 };
    return line;
  }

  #up(line: Line, via: Parameters<TransportListener['up']>[0]): void {
    if (line === this.#left) return;
    if (line.isSocket) this.#failed = 0;
    if (line === this.#next) {
      this.#leaveOld();
      this.#left = this.#current;
      this.#current = line;
      this.#next = undefined;
    } else {
      // It came back by itself, so nothing has to take its place; and what a drain announced is over.
      if (line.isSocket) this.#dropNext();
      this.#leaveOld();
    }
    this.#listener.up(via);
  }

  #down(line: Line, why: DownReason): void {
    if (line === this.#left) this.#leaveOld();
    // A next WebSocket that fails while HTTP serves is tried again much later; one that a drain asked for goes on dialling.
    if (line === this.#next && !this.#current.isSocket) this.#dropNext();
    if (line !== this.#current) return;
    this.#listener.down(why);
    if (!line.isSocket || why !== 'unreachable') return;
    this.#failed += 1;
    if (this.#failed >= FAILED_ATTEMPTS) void this.#lookForAnotherWay(line);
  }

  async #lookForAnotherWay(line: Line): Promise<void> {
    const reached = await this.#options.probe();
    // While it was asked, the line may have come up, or another may have been chosen.
    if (!reached || this.#closed || line !== this.#current || this.#failed < FAILED_ATTEMPTS) return;
    this.#failed = 0;
    this.#dropNext();
    line.transport.close();
    this.#current = this.#makeLine('http');
    this.#current.transport.open();
    this.#trySocketLater();
  }

  #trySocketLater(): void {
    this.#later(this.#options.tryAgainMs, () => this.#openNext());
  }

  /** Dials beside the current line, which serves on. */
  #openNext(): void {
    if (this.#next) return;
    this.#next = this.#makeLine('socket');
    this.#next.transport.open();
  }

  #dropNext(): void {
    clearTimeout(this.#timer);
    this.#next?.transport.close();
    this.#next = undefined;
    if (!this.#current.isSocket) this.#trySocketLater();
  }

  #leaveOld(): void {
    this.#left?.transport.close();
    this.#left = undefined;
  }

  #later(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }
}
