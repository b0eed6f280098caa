/** What can be stopped in order, or ended at once. */
/** @typedef {{ stop: () => Promise<void>, kill: () => void, hurry?: () => void }} Stoppable */

/** What one start has brought up so far, to be taken down in reverse order however it ends. */
export class Running {
  /** @type {Stoppable[]} */ #parts = [];

  /**
   * To be called before the part is started, so that one that is half up is taken down too.
   * @template {Stoppable} T
   * @param {T} part
   * @returns {T}
   */
  add(part) {
    this.#parts.push(part);
    return part;
  }

  /** The part added last first. */
  async stop() {
    for (let part = this.#parts.at(-1); part; part = this.#parts.at(-1)) {
      await part.stop();
      this.#parts.pop();
    }
  }

  /** Cuts a stop short that is under way; parts that cannot hurry are quick, or come after those that can. */
  hurry() {
    for (const part of this.#parts) part.hurry?.();
  }

  kill() {
    for (const part of this.#parts) part.kill();
  }
}
