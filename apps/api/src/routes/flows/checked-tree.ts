import { type FieldProblem, type FlowNode, SpillwayError } from '@spillway/contracts';
import type { FlowTree } from '@spillway/queue/producer';
import type { Catalogue, CatalogueEntry } from '../../catalogue.ts';

/** Problems in one reply; the rest would not help. */
const PROBLEMS_MAX = 20;

/**
 * Looks up the type of every job of a flow and checks its input, all before anything is stored.
 * @throws SpillwayError `unknown_type`, or `invalid_input` with the place of each problem, e.g. /flow/children/0/input/steps
 */
export async function checkedTree(catalogue: Catalogue, flow: FlowNode): Promise<FlowTree> {
  const types = new Map<string, CatalogueEntry>();
  const problems: FieldProblem[] = [];

  async function check(node: FlowNode, pointer: string): Promise<FlowTree> {
    const entry = types.get(node.type) ?? (await find(catalogue, node.type, pointer));
    types.set(node.type, entry);
    const { input = {}, options, onFailure, children = [] } = node;
    problems.push(...inputProblems(entry, input, pointer));
    const checked: FlowTree[] = [];
    for (const [index, child] of children.entries()) checked.push(await check(child, `${pointer}/children/${index}`));
    return { type: entry.type, input, options, onFailure, children: checked };
  }

  const tree = await check(flow, '/flow');
  if (problems.length === 0) return tree;
  const errors = problems.slice(0, PROBLEMS_MAX);
  throw new SpillwayError(
    'invalid_input',
    `the flow has inputs that do not fit their types: ${errors.map(({ message }) => message).join('; ')}`,
    { errors },
  );
}

async function find(catalogue: Catalogue, type: string, pointer: string): Promise<CatalogueEntry> {
  try {
    return await catalogue.find(type);
  } catch (error) {
    if (!(error instanceof SpillwayError && error.code === 'unknown_type')) throw error;
    const message = `${pointer}/type: ${error.message}`;
    throw new SpillwayError('unknown_type', message, { errors: [{ pointer: `${pointer}/type`, message }] });
  }
}

function inputProblems({ checkInput }: CatalogueEntry, input: unknown, pointer: string): FieldProblem[] {
  return checkInput(input).map((problem) => ({
    pointer: `${pointer}/input${problem.pointer}`,
    message: `${pointer}/input${problem.message.startsWith('/') ? '' : ' '}${problem.message}`,
  }));
}

/** All jobs of a tree. */
export function nodesOf(tree: FlowTree): FlowTree[] {
  return [tree, ...tree.children.flatMap(nodesOf)];
}
