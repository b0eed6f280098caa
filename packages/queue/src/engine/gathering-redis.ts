import { Redis, type RedisOptions } from 'ioredis';

/**
 * A connection that sends all commands of one turn of the event loop with one write. Under load many requests arrive in
 * one turn, and a write of its own for each command was a fifth of what a submit cost; it also lets Redis read and answer
 * them together. A lone command waits for the end of the turn, which is microseconds away. Unlike ioredis' own
 * autopipelining, commands stay what they are: nothing is queued, parsed or retried differently.
 */
export class GatheringRedis extends Redis {
  #corked = false;

  constructor(url: string, options: Omit<RedisOptions, 'replyMapping'>) {
    super(url, options);
  }

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    this.#gather();
    return super.sendCommand(...args);
  }

  #gather(): void {
    const { stream } = this;
    if (this.#corked || this.status !== 'ready') return;
    this.#corked = true;
    stream.cork();
    setImmediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }
}
