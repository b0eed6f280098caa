import type { Progress } from '@spillway/contracts';
import type { FileStore } from '@spillway/files';
import type { JobSteps, Lease } from '@spillway/queue/consumer';
import { createLogger } from '@spillway/runtime';
import type { DefinedJob, Schema } from '../src/index.ts';
import { loadJob } from '../src/job-type.ts';
import type { RunSetup } from '../src/run-job.ts';

/** What a job told its watchers. */
export interface Told {
  progress: Progress[];
  log: string[];
  output: unknown[];
}

/** A lease of one job, without a queue; what is reported is kept in `told`. */
export function makeLease(over: Partial<Lease> = {}): Lease & { told: Told } {
  const told: Told = { progress: [], log: [], output: [] };
  return {
    id: 'default.01JD2V9K8Q4W5X6Y7Z8A9B0C1D',
    type: 'test.work',
    queue: 'default',
    attempt: 1,
    failures: 0,
    hasBackoff: false,
    input: {},
    timeoutMs: undefined,
    signal: new AbortController().signal,
    reports: {
      progress: (value) => told.progress.push(value),
      log: (line) => told.log.push(line),
      output: (chunk) => told.output.push(chunk),
      flush: async () => undefined,
    },
    steps: rememberIn(new Map()),
    children: async () => [],
    ...over,
    told,
  };
}

/** Steps that are kept in a map; two leases with one map are two attempts of one job. */
export function rememberIn(kept: Map<string, string>): JobSteps {
  return {
    recall: async (name) => kept.get(name),
    remember: async (name, json) => {
      kept.set(name, json);
    },
  };
}

/** A worker's setup with these jobs. */
export function setupFor<I extends Schema, O extends Schema>(...jobs: DefinedJob<I, O>[]): RunSetup {
  return {
    jobs: new Map(jobs.map((job) => [job.type, loadJob(job as unknown as DefinedJob)])),
    files: {} as FileStore,
    logger: createLogger('test', { logLevel: 'silent', logFormat: 'json' }),
    resultLimitBytes: 1000,
  };
}
