import type { Command, ControlReply } from '@spillway/contracts';
import { refusal } from './api-error.ts';
import type { Transport } from './transport.ts';

/** Pause before a command without an answer is sent again, on a line that stands. */
const SEND_AGAIN_MS = 1_000;

interface Sending {
  readonly command: Command;
  /** The line that it was given to and that has not answered yet. */
  on: Transport | undefined;
  resolve(reply: ControlReply): void;
  reject(error: Error): void;
}

/**
 * Commands that the server has not acknowledged yet. Each carries an id of its own making and is sent again, also on the
 * next line, until there is an answer; however often it arrives, the id makes it one effect.
 */
export class Outbox {
  readonly #sendings = new Set<Sending>();
  readonly #onEmpty: () => void;
  #line: Transport | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  get isEmpty(): boolean {
    return this.#sendings.size === 0;
  }

  /** @throws ApiError what the server refuses; Error when `close` comes before the answer. */
  send(order: Omit<Command, 'id'>): Promise<ControlReply> {
    return new Promise((resolve, reject) => {
      const sending: Sending = { command: { id: makeId(), ...order }, on: undefined, resolve, reject };
      this.#sendings.add(sending);
      if (this.#line) void this.#deliver(sending, this.#line);
    });
  }

  /** A line stands, or a new one has taken its place: what has no answer goes out on it. */
  up(line: Transport): void {
    this.#line = line;
    for (const sending of this.#sendings) {
      sending.on = undefined;
      void this.#deliver(sending, line);
    }
  }

  down(): void {
    this.#line = undefined;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.down();
    for (const sending of this.#sendings) {
      this.#end(sending, () =>
        sending.reject(new Error(`The client was closed before the command for ${sending.command.job} was answered`)),
      );
    }
  }

  fail(error: Error): void {
    for (const sending of this.#sendings) this.#end(sending, () => sending.reject(error));
  }

  async #deliver(sending: Sending, line: Transport): Promise<void> {
    sending.on = line;
    const reply = await line.command(sending.command).catch(() => undefined);
    if (!this.#sendings.has(sending)) return;
    if (reply && !('error' in reply)) return this.#end(sending, () => sending.resolve(reply));
    const refused = reply && refusal(reply.error);
    if (refused && !refused.retryable) return this.#end(sending, () => sending.reject(refused));
    sending.on = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sendAgain(), SEND_AGAIN_MS);
  }

  #sendAgain(): void {
    const line = this.#line;
    if (line) for (const sending of this.#sendings) if (!sending.on) void this.#deliver(sending, line);
  }

  #end(sending: Sending, tell: () => void): void {
    this.#sendings.delete(sending);
    tell();
    if (this.isEmpty) this.#onEmpty();
  }
}

/** `crypto.randomUUID` is kept from pages without TLS; random bytes are not. */
function makeId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
