import type { FileStore } from '@spillway/files';
import type { Producer } from '@spillway/queue/producer';
import type { Reader } from '@spillway/queue/reader';
import type { Registry } from '@spillway/queue/registry';
import type { Schedules } from '@spillway/queue/schedules';
import type { TokenRecords } from '@spillway/queue/tokens';
import type { Readiness, Tokens } from '@spillway/runtime';
import type { Catalogue } from './catalogue.ts';
import type { Metrics } from './metrics.ts';
import type { ReadScaling } from './scaling.ts';
import type { WaitForEnd } from './wait-for-end.ts';

/** What routes work with. */
export interface Services {
  producer: Producer;
  reader: Reader;
  registry: Registry;
  catalogue: Catalogue;
  schedules: Schedules;
  files: FileStore;
  tokens: Tokens;
  tokenRecords: TokenRecords;
  metrics: Metrics;
  scaling: ReadScaling;
  waitForEnd: WaitForEnd;
  readiness: () => Promise<Readiness>;
}
