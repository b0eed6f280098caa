import { type Static, Type } from '@spillway/schema';

/** One thing that is wrong with the request, by the place where it is (RFC 6901 pointer into the body). */
export const FieldProblem = Type.Object({
  pointer: Type.String({ description: 'JSON pointer, e.g. /input/widths/0' }),
  message: Type.String({ description: 'names the field, what was expected and what came' }),
});
export type FieldProblem = Static<typeof FieldProblem>;

/** RFC 9457 problem document, sent as `application/problem+json`. */
export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'stable; branch on this' }),
    detail: Type.String(),
    retryable: Type.Boolean(),
    requestId: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(FieldProblem)),
  },
  { $id: 'Problem' },
);
export type Problem = Static<typeof Problem>;
