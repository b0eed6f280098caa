import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A TCP proxy in the test's own process that spoils connections on demand. It hands new connections to its targets in
 * turn, and to the next one where a target does not listen, as a load balancer would.
 */
export interface FaultProxy extends AsyncDisposable {
  /** Where to connect instead of a target. */
  readonly url: string;
  /** Connections that stand now. */
  readonly connections: number;
  /** How often everything was reset. */
  readonly resets: number;
  /** Whom new connections are handed to from now on; those that stand stay where they are. */
  setTargets(urls: readonly string[]): void;
  /** Breaks every connection at once, on both sides, with a TCP reset. */
  reset(): void;
  /** Resets everything again and again. Returns what ends it; called twice, the second call does nothing. */
  resetEvery(intervalMs: number): () => void;
  /** Stops reading on both sides, so that senders block as with a receiver that hangs. `heal` goes on, nothing is lost. */
  stall(): void;
  /**
   * What stands now loses every byte without a word, in both directions or in one, and neither side learns that the other
   * has gone: a changed network. New connections are fine. There is no way back for those that lost something.
   */
  silence(direction?: 'both' | 'to client' | 'to target'): void;
  /**
   * Resolves when a client is about to send bytes with this text. They are lost, and its connection is silent from then
   * on: what a process did before is done, and what it was about to do is not.
   */
  stopBefore(text: string): Promise<void>;
  /** Turns new connections away with a TCP reset until `heal`. */
  refuse(): void;
  /** Ends `stall` and `refuse`. */
  heal(): void;
}

/** One client's connection and the one to a target that belongs to it. */
interface Link {
  client: Socket;
  target: Socket;
  silentToClient: boolean;
  silentToTarget: boolean;
}

/** @throws Error when no port can be had. */
export async function openProxy(targets: readonly string[]): Promise<FaultProxy> {
  const proxy = new TcpProxy(targets);
  await proxy.listen();
  return proxy;
}

class TcpProxy implements FaultProxy {
  readonly #links = new Set<Link>();
  /** Clients that have no target yet. */
  readonly #waiting = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #server = createServer({ pauseOnConnect: true }, (client) => void this.#accept(client));
  #targets: readonly URL[] = [];
  #turn = 0;
  #resets = 0;
  #stalled = false;
  #refusing = false;
  #stop: { text: string; reached: () => void } | undefined;

  constructor(targets: readonly string[]) {
    this.setTargets(targets);
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#links.size;
  }

  get resets(): number {
    return this.#resets;
  }

  setTargets(urls: readonly string[]): void {
    this.#targets = urls.map((url) => new URL(url));
  }

  reset(): void {
    this.#resets += 1;
    for (const { client, target } of this.#links) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
  }

  resetEvery(intervalMs: number): () => void {
    const timer = setInterval(() => this.reset(), intervalMs);
    this.#timers.add(timer);
    return () => {
      clearInterval(timer);
      this.#timers.delete(timer);
    };
  }

  stall(): void {
    this.#stalled = true;
    for (const { client, target } of this.#links) {
      client.pause();
      target.pause();
    }
  }

  silence(direction: 'both' | 'to client' | 'to target' = 'both'): void {
    for (const link of this.#links) {
      if (direction !== 'to target') link.silentToClient = true;
      if (direction !== 'to client') link.silentToTarget = true;
    }
  }

  refuse(): void {
    this.#refusing = true;
  }

  heal(): void {
    this.#refusing = false;
    if (!this.#stalled) return;
    this.#stalled = false;
    for (const { client, target } of this.#links) {
      client.resume();
      target.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const client of this.#waiting) client.destroy();
    for (const { client, target } of this.#links) {
      client.destroy();
      target.destroy();
    }
    await closed;
  }

  async #accept(client: Socket): Promise<void> {
    // How a connection ends is told by `close`; an error is nothing more than its reason.
    client.on('error', () => undefined);
    if (this.#refusing) return void client.resetAndDestroy();
    this.#waiting.add(client);
    const target = await this.#dial();
    this.#waiting.delete(client);
    if (!target || client.destroyed) {
      target?.destroy();
      client.resetAndDestroy();
      return;
    }
    this.#join({ client, target, silentToClient: false, silentToTarget: false });
  }

  /** A connection to the target whose turn it is, or to the next that listens; undefined when none does. */
  async #dial(): Promise<Socket | undefined> {
    const targets = this.#targets;
    const first = this.#turn++;
    for (let step = 0; step < targets.length; step++) {
      const { hostname, port } = targets[(first + step) % targets.length] as URL;
      const target = connect({ host: hostname, port: Number(port) });
      target.on('error', () => undefined);
      const connected = await Promise.race([
        once(target, 'connect').then(
          () => true,
          () => false,
        ),
        once(target, 'close').then(() => false),
      ]);
      if (connected) return target;
    }
    return undefined;
  }

  #join(link: Link): void {
    const { client, target } = link;
    this.#links.add(link);
    this.#forward(client, target, (bytes) => this.#stopsAt(bytes, link) || link.silentToTarget);
    this.#forward(target, client, () => link.silentToClient);
    client.once('close', () => {
      if (!link.silentToTarget) target.destroy();
      this.#forget(link);
    });
    target.once('close', () => {
      if (!link.silentToClient) client.destroy();
      this.#forget(link);
    });
    if (!this.#stalled) client.resume();
    else target.pause();
  }

  stopBefore(text: string): Promise<void> {
    return new Promise((reached) => {
      this.#stop = { text, reached };
    });
  }

  #stopsAt(bytes: Buffer | undefined, link: Link): boolean {
    if (!bytes || !this.#stop || !bytes.includes(this.#stop.text)) return false;
    link.silentToTarget = true;
    link.silentToClient = true;
    this.#stop.reached();
    this.#stop = undefined;
    return true;
  }

  #forward(from: Socket, to: Socket, isSilent: (bytes?: Buffer) => boolean): void {
    from.on('data', (bytes) => {
      if (isSilent(bytes) || to.destroyed) return;
      if (!to.write(bytes)) from.pause();
    });
    from.on('end', () => {
      if (!isSilent()) to.end();
    });
    to.on('drain', () => {
      if (!this.#stalled) from.resume();
    });
  }

  /** A link whose two ends are gone is over; one that nobody told of the other's end still stands. */
  #forget(link: Link): void {
    if (link.client.destroyed && link.target.destroyed) this.#links.delete(link);
  }
}
