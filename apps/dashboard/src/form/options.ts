import { planForm } from './plan.ts';

/**
 * What may be asked for beside the input, in the words of the API. Only what somebody sets by hand; the server checks it
 * all the same.
 */
export const OPTIONS = {
  ...planForm({
    type: 'object',
    properties: {
      delayMs: { type: 'integer', minimum: 0, description: 'start at the earliest after this time, in milliseconds' },
      priority: { type: 'integer', minimum: 0, description: '0 runs first, larger numbers later' },
      attempts: { type: 'integer', minimum: 1, maximum: 100, description: 'how often to try in all' },
      timeoutMs: { type: 'integer', minimum: 1, description: 'an attempt that runs longer fails' },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 20, description: 'labels to find the job by' },
    },
  }),
  // Nothing filled in means no options at all.
  required: false,
};
