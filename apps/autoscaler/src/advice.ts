import { QueueScaling, ScalingReply } from '@spillway/contracts';
import { compileSchema } from '@spillway/runtime';

/** What api says of the workers of some queues. */
export interface Figures {
  /** Workers that they need. */
  advised: number;
  /** Workers that serve them. */
  alive: number;
}

const check = compileSchema({
  ...ScalingReply,
  properties: { ...ScalingReply.properties, queues: { type: 'array', items: QueueScaling } },
});

/**
 * Reads the reply of `/v1/scaling`. Each worker serves all of the queues, with slots for each, so that the queue that needs
 * most decides. No names mean all queues. Pure.
 * @throws Error where the reply is none, or a queue is named that it does not have.
 */
export function figuresOf(reply: unknown, names: readonly string[]): Figures {
  const problems = check(reply);
  if (problems.length > 0) {
    const found = problems.map(({ pointer, message }) => `${pointer} ${message}`).join('; ');
    throw new Error(`expected the reply of /v1/scaling, got something else: ${found}`);
  }
  const { queues } = reply as ScalingReply;
  const unknown = names.filter((name) => !queues.some((queue) => queue.name === name));
  if (unknown.length > 0)
    throw new Error(`AUTOSCALER_QUEUES: expected queues that api knows, got ${unknown.join(', ')}`);
  const chosen = names.length === 0 ? queues : queues.filter(({ name }) => names.includes(name));
  return {
    advised: Math.max(0, ...chosen.map(({ advisedWorkers }) => advisedWorkers)),
    alive: Math.max(0, ...chosen.map(({ workers }) => workers)),
  };
}
