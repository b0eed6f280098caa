import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@spillway/runtime';
import type { Figures } from './advice.ts';
import { type Advice, type Decision, decide, type Limits, remember } from './decide.ts';

/** The workers of one service. */
export interface Fleet {
  /** How many are there, without those that are being stopped. */
  count(): Promise<number>;
  /** Brings the number nearer to `workers`. What it does not reach, the next call tries again. */
  scale(workers: number): Promise<void>;
}

/** What the latest look at the queues came to. */
export interface View {
  atMs: number;
  running: number;
  advised?: number;
  wanted: number;
  reason: Decision['reason'];
}

export interface Autoscaler {
  /** Undefined before the first look. */
  view(): View | undefined;
  /** What went wrong in the latest look; undefined where nothing did. */
  trouble(): string | undefined;
  /** Looks, decides, acts. One at a time; never rejects. */
  step(): Promise<void>;
  /** Steps until the signal, and resolves when the last step has ended. */
  run(stopping: AbortSignal): Promise<void>;
}

export interface AutoscalerSetup {
  readFigures: () => Promise<Figures>;
  /** Absent where only advice is given: what api sees is then what runs. */
  fleet: Fleet | undefined;
  limits: Limits;
  intervalMs: number;
  now: () => number;
  /** Told after each step that came to a decision. */
  onStep: (view: View) => void;
  onTrouble: () => void;
  logger: Logger;
}

/** Follows the advised number of workers. Nothing happens before `step` or `run`. */
export function createAutoscaler(setup: AutoscalerSetup): Autoscaler {
  const { limits, fleet, now, logger } = setup;
  let history: Advice[] = [];
  let alive = 0;
  let view: View | undefined;
  let trouble: string | undefined;
  let found: string | undefined;

  async function look(): Promise<View> {
    await listen();
    const running = fleet ? await fleet.count() : alive;
    const atMs = now();
    const { workers: wanted, reason } = decide(atMs, history, running, limits);
    return { atMs, running, advised: history.at(-1)?.workers, wanted, reason };
  }

  /** An api that does not answer leaves the history as it is, which grows stale. */
  async function listen(): Promise<void> {
    try {
      const figures = await setup.readFigures();
      alive = figures.alive;
      history = remember(history, { atMs: now(), workers: figures.advised }, limits);
    } catch (error) {
      fail('no advice from api', error);
    }
  }

  function fail(sentence: string, err: unknown): void {
    found = `${sentence}: ${err instanceof Error ? err.message : err}`;
    setup.onTrouble();
    logger.warn({ err }, sentence);
  }

  async function act(seen: View): Promise<void> {
    const { running, wanted } = seen;
    const isNews = view?.wanted !== wanted || view.running !== running;
    view = seen;
    setup.onStep(seen);
    if (wanted === running) return;
    if (isNews) logger.info(seen, fleet ? 'scaling the workers' : 'would scale the workers');
    await fleet?.scale(wanted);
  }

  async function step(): Promise<void> {
    found = undefined;
    try {
      await act(await look());
    } catch (error) {
      fail('the workers could not be scaled', error);
    }
    trouble = found;
  }

  return {
    view: () => view,
    trouble: () => trouble,
    step,
    async run(stopping) {
      while (!stopping.aborted) {
        await step();
        await sleep(setup.intervalMs, undefined, { signal: stopping }).catch(() => undefined);
      }
    },
  };
}
