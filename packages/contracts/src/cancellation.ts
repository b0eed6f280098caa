import { type Static, Type } from '@spillway/schema';

/** Longest reason that a canceller may give, in characters. */
export const CANCEL_REASON_MAX = 500;

export const CancelReason = /* @__PURE__ */ Type.String({
  minLength: 1,
  maxLength: CANCEL_REASON_MAX,
  description: 'why; stands in the job and reaches its handler',
});

/** Who asked for a job's end, why and when. Of several who ask, the first one counts. */
export const Cancellation = /* @__PURE__ */ Type.Object(
  {
    by: Type.String({ description: "the name of the canceller's key" }),
    reason: Type.Optional(Type.String()),
    at: Type.String({ format: 'date-time' }),
  },
  {
    description: 'who asked for its end: one that still runs is told to stop, and one that was faster ended otherwise',
  },
);
export type Cancellation = Static<typeof Cancellation>;

/** What a handler finds as its signal's `reason` when somebody cancels the job. */
export class CancelledError extends Error {
  readonly by: string;
  readonly reason: string | undefined;

  constructor({ by, reason }: Pick<Cancellation, 'by' | 'reason'>) {
    super(reason === undefined ? `cancelled by ${by}` : `cancelled by ${by}: ${reason}`);
    this.name = 'CancelledError';
    this.by = by;
    this.reason = reason;
  }
}
