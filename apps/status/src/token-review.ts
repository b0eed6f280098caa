import { type RefreshReply, SpillwayError, type WatchTarget } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Logger, Tokens } from '@spillway/runtime';
import { type Access, accessOf, mayWatchTarget } from './access.ts';
import { toJobError } from './problem.ts';
import type { Jobs, JobsSocket } from './server.ts';

/** What a connection watches, as far as the end of its rights is concerned. Set when the connection opens. */
export interface Watches {
  targets(): WatchTarget[];
  leave(target: WatchTarget): void;
}

type Setup = { tokens: Tokens; reader: Reader; logger: Logger };

/** Watches that run end within this time of their token's expiry, and of its revocation within twice this time. */
const REVIEW_EVERY_MS = 1000;

/** Answers `refresh` of every connection, and ends watches whose token has expired or was revoked. Returns the stop. */
export function serveTokens(jobs: Jobs, setup: Setup): () => void {
  jobs.on('connection', (socket) => {
    socket.on('refresh', (request, ack) => {
      if (typeof ack !== 'function') return;
      refresh(socket, request, setup)
        .then(ack)
        .catch((error: unknown) => ack({ error: toJobError(error, setup.logger) }));
    });
  });
  const timer = setInterval(() => {
    for (const socket of jobs.sockets.values()) endWhatHasEnded(socket);
  }, REVIEW_EVERY_MS);
  return () => clearInterval(timer);
}

/** The connection stays, so that it can be refreshed and watch again. */
function endWhatHasEnded(socket: JobsSocket): void {
  const { access, watches } = socket.data;
  if (access.expiresAt === undefined) return;
  const error = access.ended();
  if (error) deny(socket, watches.targets(), error);
}

/** @throws SpillwayError; then the connection has what it had. */
async function refresh(socket: JobsSocket, request: unknown, setup: Setup): Promise<RefreshReply> {
  const before = socket.data.access;
  const access = accessOf(readToken(request), setup.tokens);
  const { expiresAt } = access;
  if (before.expiresAt === undefined || expiresAt === undefined)
    throw new SpillwayError('invalid_request', 'expected a token in the place of a token; keys do not end');
  if (access.caller !== before.caller)
    throw new SpillwayError(
      'forbidden',
      'expected a token of the same key as the one that the connection was opened with',
    );
  socket.data.access = access;
  // A refresh has the rights of what it refreshes; another token may have fewer.
  if (access.tokenId !== before.tokenId) await leaveWhatIsNotCovered(socket, access, setup.reader);
  return { expiresAt: new Date(expiresAt).toISOString() };
}

async function leaveWhatIsNotCovered(socket: JobsSocket, access: Access, reader: Reader): Promise<void> {
  const targets = socket.data.watches.targets();
  const kept = await Promise.all(targets.map((target) => mayWatchTarget(access, target, reader)));
  const error = new SpillwayError('forbidden', 'expected a token that names this, got one that does not');
  deny(
    socket,
    targets.filter((_, index) => !kept[index]),
    error,
  );
}

function deny(socket: JobsSocket, targets: WatchTarget[], { code, message }: SpillwayError): void {
  if (targets.length === 0) return;
  for (const target of targets) socket.data.watches.leave(target);
  socket.emit('denied', { targets, error: { code, message } });
}

function readToken(request: unknown): string {
  const token: unknown = (request as { token?: unknown } | null | undefined)?.token;
  if (typeof token === 'string') return token;
  throw new SpillwayError('invalid_request', `expected { token } with a text, got ${typeof token}`);
}
