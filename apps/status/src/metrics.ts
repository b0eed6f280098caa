import { Counter, createRegistry, Gauge, Histogram, type Registry } from '@spillway/runtime';

/** What this process does, counted. docs/operations.md says what each is good for. */
export interface LiveMetrics {
  registry: Registry;
  frames: Counter;
  events: Counter;
  /** Age of the oldest event of a frame when it is sent. */
  delay: Histogram;
  resyncs: Counter<'reason'>;
  slowReaders: Counter<'outcome'>;
  refused: Counter<'reason'>;
  rateLimited: Counter;
  commands: Counter;
  /** Time from the question to the snapshot, waiting included. */
  snapshots: Histogram;
  /** Figures that are read when somebody asks for them, so that they cost nothing in between. */
  watch(gauges: {
    connections: () => number;
    streams: () => number;
    watches: () => number;
    bufferedBytes: () => number;
  }): void;
}

export function createMetrics(): LiveMetrics {
  const registry = createRegistry('status');
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `spillway_live_${name}`, help, registers });
  const counterBy = <T extends string>(name: string, label: T, help: string) =>
    new Counter({ name: `spillway_live_${name}`, help, labelNames: [label], registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `spillway_live_${name}`, help, buckets, registers });
  return {
    registry,
    frames: counter('frames_total', 'Frames of events written to connections.'),
    events: counter('events_total', 'Events in those frames.'),
    delay: histogram(
      'delay_seconds',
      'From the oldest event of a frame (clock of Redis) to its sending (clock of this host).',
      [0.01, 0.03, 0.06, 0.1, 0.3, 1, 3, 10],
    ),
    resyncs: counterBy('resyncs_total', 'reason', 'Resyncs told to connections: gap or slow.'),
    slowReaders: counterBy('slow_readers_total', 'outcome', 'Slow readers: set_aside, caught_up or disconnected.'),
    refused: counterBy('refused_total', 'reason', 'Connections refused: draining, full, busy, caller, request.'),
    rateLimited: counter('rate_limited_total', 'Connections that were closed because they sent too much.'),
    commands: counter('commands_total', 'Commands that were carried out or refused.'),
    snapshots: histogram(
      'snapshot_seconds',
      'From a question for a snapshot to its answer.',
      [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    ),
    watch(gauges) {
      for (const [name, help, read] of [
        ['live_connections', 'Live connections.', gauges.connections],
        ['event_streams', 'Streams of Server-Sent Events.', gauges.streams],
        ['live_watches', 'Targets watched on them.', gauges.watches],
        ['live_buffered_bytes', 'Bytes that wait for clients to read them.', gauges.bufferedBytes],
      ] as const) {
        new Gauge({
          name: `spillway_${name}`,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      }
    },
  };
}
