import type { IncomingMessage } from 'node:http';
import type { EventsQuery } from '@spillway/contracts';
import type { TokenRecords } from '@spillway/queue/tokens';
import { bearerOf, type Config, type Keys, type Tokens } from '@spillway/runtime';
import { type Access, accessOf } from './access.ts';
import { assertOwnPage } from './admission.ts';
import { accessOfTicket } from './token-tickets.ts';

/**
 * Decides what the sender of a request may see: by a ticket, a watch token or a key. Asked once for each request, before
 * anything is looked up.
 * @throws SpillwayError `unauthorized`, `token_expired`, `token_revoked`, `forbidden`, `unavailable`
 */
export type Authorize = (request: IncomingMessage, query: EventsQuery) => Promise<Access>;

export function makeAuthorize(setup: {
  keys: Keys;
  tokens: Tokens;
  tokenRecords: TokenRecords;
  config: Config;
}): Authorize {
  return async ({ headers }, { ticket }) => {
    assertOwnPage(headers, setup.keys, setup.config);
    if (ticket) return accessOfTicket(ticket, setup);
    return accessOf(bearerOf(headers.authorization), setup.tokens);
  };
}
