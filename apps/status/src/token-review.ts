import { type RefreshReply, SpillwayError } from '@spillway/contracts';
import type { Reader } from '@spillway/queue/reader';
import type { Tokens } from '@spillway/runtime';
import { type Access, accessOf, mayWatchTarget } from './access.ts';
import { type LiveNamespace, type LiveSocket, leave } from './live-socket.ts';
import type { Serve } from './requests.ts';

type Setup = { tokens: Tokens; reader: Reader };

/** Watches that run end within this time of their token's expiry, and of its revocation within twice this time. */
const REVIEW_EVERY_MS = 1000;

/** Ends watches whose token has expired or was revoked. Returns the stop. */
export function reviewTokens(jobs: LiveNamespace): () => void {
  const timer = setInterval(() => {
    for (const socket of jobs.sockets.values()) endWhatHasEnded(socket);
  }, REVIEW_EVERY_MS);
  return () => clearInterval(timer);
}

/** Answers `refresh` of one connection. */
export function serveRefresh(socket: LiveSocket, serve: Serve, setup: Setup): void {
  serve('refresh', (request) => refresh(socket, request, setup));
}

/** The connection stays, so that it can be refreshed and watch again. */
function endWhatHasEnded(socket: LiveSocket): void {
  const { access, watched } = socket.data;
  if (access.expiresAt === undefined) return;
  const error = access.ended();
  if (error) deny(socket, [...watched.keys()], error);
}

/** @throws SpillwayError; then the connection has what it had. */
async function refresh(socket: LiveSocket, request: unknown, setup: Setup): Promise<RefreshReply> {
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

async function leaveWhatIsNotCovered(socket: LiveSocket, access: Access, reader: Reader): Promise<void> {
  const watched = [...socket.data.watched];
  const kept = await Promise.all(watched.map(([, { target }]) => mayWatchTarget(access, target, reader)));
  const error = new SpillwayError('forbidden', 'expected a token that names this, got one that does not');
  deny(
    socket,
    watched.flatMap(([room], index) => (kept[index] ? [] : room)),
    error,
  );
}

function deny(socket: LiveSocket, rooms: readonly string[], { code, message }: SpillwayError): void {
  const targets = rooms.flatMap((room) => socket.data.watched.get(room)?.target ?? []);
  for (const room of rooms) leave(socket, room);
  if (targets.length > 0) socket.emit('denied', { targets, error: { code, message } });
}

function readToken(request: unknown): string {
  const token: unknown = (request as { token?: unknown } | null | undefined)?.token;
  if (typeof token === 'string') return token;
  throw new SpillwayError('invalid_request', `expected { token } with a text, got ${typeof token}`);
}
