import { SpillwayError } from '@spillway/contracts';
import { type Caller, mayUse } from '@spillway/runtime';

/** A schedule submits for whoever made or triggers it, so it must not be a way around the scope. @throws SpillwayError `forbidden` */
export function assertMaySubmit(caller: Caller | undefined): void {
  if (caller && mayUse(caller, 'submit')) return;
  throw new SpillwayError('forbidden', 'expected a key with the scopes control and submit, got one without submit');
}
