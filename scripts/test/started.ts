import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isAlive } from '../process/mark.mjs';

interface Outcome {
  code: number | null;
  output: string;
}

/** A run of `npm start` on any free ports, with its data in `folder`. Killed with all that it started when disposed of. */
export class StartRun {
  readonly child: ChildProcess;
  output = '';
  readonly #folder: string;

  constructor(folder: string, args: string[] = ['--port', '0']) {
    this.#folder = folder;
    const { REDIS_URL: _ofTheTests, ...env } = process.env;
    this.child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../start.mjs'), ...args], {
      env: { ...env, SPILLWAY_DIR: folder },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
        this.child.emit('output');
      });
    }
  }

  /** The page's address, once everything is ready. */
  async ready(): Promise<string> {
    while (!this.output.includes('Ctrl-C stops everything')) {
      if (this.child.exitCode !== null) throw new Error(`start ended: ${this.output}`);
      await Promise.race([once(this.child, 'output'), once(this.child, 'close')]);
    }
    return /page +(http:\S+)/.exec(this.output)![1]!;
  }

  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    this.child.kill(signal);
    return this.ended();
  }

  async ended(): Promise<Outcome> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return { code: this.child.exitCode, output: this.output };
  }

  /** Names of the processes of any run in this folder that still run. */
  leftBehind(): string[] {
    const marks: { name: string; pid: number; born: string }[] = JSON.parse(
      readFileSync(path.join(this.#folder, 'processes.json'), 'utf8'),
    );
    return marks.filter(isAlive).map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM');
  }
}
