/// <reference path="./engine-scripts.d.ts" />
import { addDelayedJob } from 'bullmq/dist/esm/scripts/addDelayedJob-6.js';
import { addPrioritizedJob } from 'bullmq/dist/esm/scripts/addPrioritizedJob-9.js';
import { addStandardJob } from 'bullmq/dist/esm/scripts/addStandardJob-9.js';
import { moveToActive } from 'bullmq/dist/esm/scripts/moveToActive-11.js';
import { moveToFinished } from 'bullmq/dist/esm/scripts/moveToFinished-14.js';
import { removeJob } from 'bullmq/dist/esm/scripts/removeJob-2.js';
import { version } from 'bullmq/dist/esm/version.js';

/** A script of the engine's as it ships it: its Lua, and how many keys it is called with. */
export interface EngineScript {
  content: string;
  keys: number;
}

/** The engine's scripts that ours build on. */
export const engineScripts: Record<
  'addDelayedJob' | 'addPrioritizedJob' | 'addStandardJob' | 'moveToActive' | 'moveToFinished' | 'removeJob',
  EngineScript
> = { addDelayedJob, addPrioritizedJob, addStandardJob, moveToActive, moveToFinished, removeJob };

/** The engine's version, as it writes it to Redis. */
export const engineVersion: string = version;
