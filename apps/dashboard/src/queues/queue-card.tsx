import type { Client, QueueInfo, QueueScaling } from '@spillway/client';
import { Action, Actions, useAct } from '../action.tsx';
import { formatDuration } from '../format.ts';
import { limitTexts } from './limits-text.ts';

interface QueueCardProps {
  client: Client;
  queue: QueueInfo;
  /** Absent before it was read. */
  scaling: QueueScaling | undefined;
  /** Something was changed, and is to be read again. */
  onChanged: () => Promise<void>;
}

/** A queue: what waits in it, how fast it moves, and whether it has workers enough. */
export function QueueCard({ client, queue, scaling, onChanged }: QueueCardProps) {
  const act = useAct();
  const { name, paused, counts } = queue;
  const change = () => act.run(() => (paused ? client.resume(name) : client.pause(name)).then(onChanged));
  const limits = limitTexts(queue.limits);
  return (
    <li class="panel queue" aria-label={`Queue ${name}`}>
      <header class="queue__head">
        <h3 class="queue__name">{name}</h3>
        <span class={`queue__state ${paused ? 'queue__state--paused' : ''}`}>{paused ? 'paused' : 'runs'}</span>
        <Actions act={act}>
          <Action name={paused ? 'Resume' : 'Pause'} act={act} onClick={change} />
        </Actions>
      </header>
      <dl class="figures">
        <Figure name="waiting" value={count(counts.waiting)} />
        <Figure name="running" value={count(counts.active)} />
        <Figure name="delayed" value={count(counts.delayed)} />
        <Figure name="blocked" value={count(counts.blocked)} />
        <Figure name="longest wait" value={scaling && formatDuration(scaling.oldestWaitMs)} />
        <Figure name="come a second" value={scaling && rate(scaling.arrivalsPerSecond)} />
        <Figure name="end a second" value={scaling && rate(scaling.servicePerSecond)} />
        <Figure name="workers" value={count(queue.workers)} />
        <Figure name="advised" value={scaling && count(scaling.advisedWorkers)} isLow={isShort(queue, scaling)} />
      </dl>
      <p class="quiet">{limits.length > 0 ? `Limits: ${limits.join(' · ')}` : 'No limits.'}</p>
    </li>
  );
}

/** Whether it needs more workers than it has. */
function isShort({ workers }: QueueInfo, scaling: QueueScaling | undefined): boolean {
  return scaling !== undefined && scaling.advisedWorkers > workers;
}

function Figure({ name, value = '–', isLow = false }: { name: string; value: string | undefined; isLow?: boolean }) {
  return (
    <div class={`figures__one ${isLow ? 'figures__one--low' : ''}`}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function rate(perSecond: number): string {
  return perSecond.toLocaleString('en', { maximumFractionDigits: perSecond < 10 ? 1 : 0 });
}
