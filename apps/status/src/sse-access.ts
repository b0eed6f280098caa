import type { IncomingMessage } from 'node:http';
import { type EventsQuery, SpillwayError } from '@spillway/contracts';
import { bearerOf, type Config, type Keys, mayUse } from '@spillway/runtime';
import { type Access, accessOfKey } from './access.ts';
import { assertOwnPage } from './admission.ts';

/** A right that may end while a stream runs. */
export interface StreamAccess extends Access {
  /** Why it has ended; absent where it cannot. Asked about every second. */
  ended?(): SpillwayError | undefined;
}

/**
 * Decides what the sender of a request may see. Asked once for each request, before anything is looked up.
 * @throws SpillwayError `unauthorized`, `forbidden`
 */
export type Authorize = (request: IncomingMessage, query: EventsQuery) => Promise<StreamAccess>;

export function makeAuthorize({ keys, config }: { keys: Keys; config: Config }): Authorize {
  return async ({ headers }) => {
    assertOwnPage(headers, keys, config);
    const caller = keys.verify(bearerOf(headers.authorization));
    if (!caller)
      throw new SpillwayError(
        'unauthorized',
        `expected a valid key in \`Authorization: Bearer <key>\`, got ${headers.authorization ? 'one that is not known' : 'none'}`,
      );
    if (!mayUse(caller, 'read')) throw new SpillwayError('forbidden', 'expected a key with the scope read');
    return accessOfKey(caller);
  };
}
