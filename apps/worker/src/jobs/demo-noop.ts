import { defineJob, Type } from '@spillway/worker';

export const noop = defineJob({
  type: 'demo.noop',
  queue: 'demo',
  title: 'Do nothing',
  description: 'Takes any object and completes at once: what a job costs beside its work.',
  examples: [{}],
  input: Type.Object({}, { additionalProperties: true }),
  run: () => ({}),
});
