import type { Batch } from '@spillway/client';
import { PARTS, type Part, partsOf } from './parts.ts';

const NAMES: Record<Part, string> = {
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  removed: 'removed',
  active: 'running',
  waiting: 'waiting',
};

/** One bar for all jobs of a batch, a part for each way in which they stand, and what each part means. */
export function BatchBar({ batch }: { batch: Batch }) {
  const counts = partsOf(batch);
  const ended = batch.total - batch.open;
  // Most batches have none that were removed.
  const named = PARTS.filter((part) => part !== 'removed' || counts.removed > 0);
  return (
    <div class="batch-bar">
      <div
        class="batch-bar__channel"
        role="progressbar"
        aria-label="Progress of the batch"
        aria-valuemin={0}
        aria-valuemax={batch.total}
        aria-valuenow={ended}
        aria-valuetext={`${ended} of ${batch.total} jobs have ended`}
      >
        {PARTS.filter((part) => counts[part] > 0).map((part) => (
          // An object, not text: a style attribute is refused by the page's policy, properties set one by one are not.
          <div key={part} class={`batch-bar__part part--${part}`} style={{ flexGrow: String(counts[part]) }} />
        ))}
      </div>
      <dl class="batch-bar__counts">
        {named.map((part) => (
          <div key={part} class={`batch-bar__count ${counts[part] === 0 ? 'batch-bar__count--none' : ''}`}>
            <dt>
              <span class={`batch-bar__key part--${part}`} aria-hidden="true" />
              {NAMES[part]}
            </dt>
            <dd>{counts[part].toLocaleString('en')}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
