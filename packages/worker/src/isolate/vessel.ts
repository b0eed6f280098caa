import { createRequire } from 'node:module';
import type { FromIsolate, IsolateSetup, ToIsolate } from './messages.ts';

/** A thread or a process that an isolate runs in, as the worker sees it. */
export interface Vessel {
  /** What is sent to one that has ended is lost. */
  send(message: ToIsolate): void;
  onMessage(take: (message: FromIsolate) => void): void;
  /** Resolves with what happened, in words, once it is gone. Never rejects. */
  readonly exited: Promise<string>;
  /** Ends it at once, whatever it does. Safe to call twice. */
  kill(): void;
}

export type Launch = (setup: IsolateSetup, memoryMb: number | undefined) => Vessel;

/** What runs in it: the build, also where the worker itself runs from source, because Node alone must be able to start it. */
export function entryFile(): string {
  return createRequire(import.meta.url).resolve('@spillway/worker/isolate');
}

export function outOfMemory(memoryMb: number | undefined): string {
  return `ran out of memory (${memoryMb ? `its limit is ${memoryMb} MB` : "Node's own limit"})`;
}
