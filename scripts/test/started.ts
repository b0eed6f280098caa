import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isAlive } from '../process/mark.mjs';

interface Outcome {
  code: number | null;
  output: string;
}

/** A run of `npm start`, with its data in `folder`. Stopped when disposed of. */
export class StartRun {
  readonly child: ChildProcess;
  output = '';
  readonly #folder: string;
  #onOutput = () => {};

  constructor(folder: string, args: string[] = ['--port', '0']) {
    this.#folder = folder;
    this.child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../start.mjs'), ...args], {
      env: { ...withoutSettings(process.env), SPILLWAY_DIR: folder },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
        this.#onOutput();
      });
    }
  }

  /** The page's address, once everything is ready. */
  ready(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#onOutput = () => {
        const page = /page +(http:\S+)[\s\S]*Ctrl-C stops everything/.exec(this.output)?.[1];
        if (page) resolve(page);
      };
      this.child.once('close', () => reject(new Error(`start ended: ${this.output}`)));
    });
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
    return this.#alive().map(({ name }) => name);
  }

  /** @throws Error where no such process runs */
  pidOf(name: string): number {
    const mark = this.#alive().find((alive) => alive.name === name);
    if (!mark) throw new Error(`expected a process ${name}, got ${this.leftBehind().join(', ')}`);
    return mark.pid;
  }

  #alive(): { name: string; pid: number; born: string }[] {
    const marks: { name: string; pid: number; born: string }[] = JSON.parse(
      readFileSync(path.join(this.#folder, 'processes.json'), 'utf8'),
    );
    return marks.filter(isAlive);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM');
  }
}

/** What the developer, or the run of the tests, has set for Spillway must not reach the one under test. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(REDIS_URL|SPILLWAY_|WORKER_)/.test(name)));
}
