import { FLOW_DEPTH_MAX, FLOW_JOBS_MAX, SpillwayError } from '@spillway/contracts';

/**
 * Refuses a tree with too many jobs or levels before anything looks at it by recursion. What is no tree is left to the
 * schema. @throws SpillwayError `invalid_request`
 */
export function assertBounded(body: unknown): void {
  let level = [fieldOf(body, 'flow')];
  let jobs = 0;
  for (let depth = 1; level.length > 0; depth += 1) {
    jobs += level.length;
    if (jobs > FLOW_JOBS_MAX) throw refusal(`at most ${FLOW_JOBS_MAX} jobs in a flow, got more`);
    if (depth > FLOW_DEPTH_MAX) throw refusal(`at most ${FLOW_DEPTH_MAX} levels of jobs in a flow, got more`);
    level = level.flatMap(childrenOf);
  }
}

function childrenOf(node: unknown): unknown[] {
  const children = fieldOf(node, 'children');
  return Array.isArray(children) ? (children as unknown[]) : [];
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function refusal(expected: string): SpillwayError {
  return new SpillwayError('invalid_request', `expected ${expected}`, {
    errors: [{ pointer: '/flow', message: `/flow: expected ${expected}` }],
  });
}
