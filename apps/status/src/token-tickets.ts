import { endedToken, SpillwayError } from '@spillway/contracts';
import type { TokenRecords } from '@spillway/queue/tokens';
import type { Tokens } from '@spillway/runtime';
import type { Access } from './access.ts';

/**
 * Takes a one-use ticket and gives the access that it stands for: to see one job, for as long as the token that it was
 * asked for with is valid. Whatever is wrong with the ticket, or with the job in the path, is one and the same answer.
 * @throws SpillwayError `unauthorized`, `token_expired`, `token_revoked`, `unavailable`
 */
export async function accessOfTicket(
  ticket: string,
  { tokens, tokenRecords }: { tokens: Tokens; tokenRecords: TokenRecords },
): Promise<Access> {
  const grant = await tokenRecords.redeemTicket(ticket);
  if (!grant)
    throw new SpillwayError(
      'unauthorized',
      'expected a ticket that was not used yet and is at most 60 s old, got another',
    );
  const { holder, job, token } = grant;
  const ended = () => {
    const why = token && tokens.ended(token);
    return why && endedToken(why);
  };
  const already = ended();
  if (already) throw already;
  return {
    caller: holder,
    maySee: ({ id }) => id === job,
    maySeeById: (id) => id === job,
    mayWatch: () => false,
    mayCommand: () => false,
    isOperator: false,
    ...(token && { expiresAt: token.expiresAt, tokenId: token.id }),
    ended,
  };
}
