import { type Static, Type } from '@spillway/schema';
import { JobOptions } from './job.ts';
import { WatchGrant } from './tokens.ts';

/** Jobs of one flow, and levels from the first parent to the last child. One script stores them all, about 10 µs each. */
export const FLOW_JOBS_MAX = 1000;
export const FLOW_DEPTH_MAX = 10;

/**
 * What a child that fails, or is cancelled, means for its parent. `fail`: the parent fails with `child_failed`, at once.
 * `ignore`: the parent runs once all children have ended, and sees which of them failed.
 */
export const ChildPolicy = Type.Enum(['fail', 'ignore'], {
  description: 'what it means for the parent if this one fails or is cancelled; fail by default',
});
export type ChildPolicy = Static<typeof ChildPolicy>;

/** A job of a flow with the jobs that it waits for. */
export const FlowNode = Type.Object(
  {
    type: Type.String({ minLength: 1, maxLength: 64 }),
    input: Type.Optional(Type.Unknown()),
    options: Type.Optional(JobOptions),
    onFailure: Type.Optional(ChildPolicy),
    children: Type.Optional(
      Type.Array(Type.Ref('FlowNode'), { description: 'jobs that must end before this one starts' }),
    ),
  },
  { additionalProperties: false, $id: 'FlowNode' },
);
export interface FlowNode {
  type: string;
  input?: unknown;
  options?: JobOptions;
  onFailure?: ChildPolicy;
  children?: FlowNode[];
}

/** Body of `POST /v1/flows`. */
export const FlowRequest = Type.Object(
  { flow: Type.Ref('FlowNode') },
  {
    additionalProperties: false,
    $id: 'FlowRequest',
    description: `a tree of at most ${FLOW_JOBS_MAX} jobs and ${FLOW_DEPTH_MAX} levels`,
  },
);
export interface FlowRequest {
  flow: FlowNode;
}

/** A stored job of a flow, with its children in the order in which they were submitted. */
export const FlowMember = Type.Object(
  { id: Type.String(), type: Type.String(), children: Type.Optional(Type.Array(Type.Ref('FlowMember'))) },
  { $id: 'FlowMember' },
);
export interface FlowMember {
  id: string;
  type: string;
  children?: FlowMember[];
}

/** Reply to a flow. All of its jobs are one batch, so the token and a watch of that batch cover them. */
export const FlowReply = Type.Object(
  {
    id: Type.String({ description: 'names the flow as a batch; each of its jobs carries it' }),
    accepted: Type.Integer(),
    flow: Type.Ref('FlowMember'),
    watch: WatchGrant,
  },
  { $id: 'FlowReply' },
);
export interface FlowReply {
  id: string;
  accepted: number;
  flow: FlowMember;
  watch: WatchGrant;
}
