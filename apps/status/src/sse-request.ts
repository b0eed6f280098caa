import type { IncomingMessage } from 'node:http';
import { EventsQuery, SpillwayError } from '@spillway/contracts';
import { compileSchema } from '@spillway/runtime';
import { parseId, type Standing } from './sse-message.ts';

const PATH = /^\/v1\/jobs\/([^/?]+)\/events(?:\?|$)/;

/** The job whose events a URL names, or undefined where it names something else. */
export function jobOfEvents(url = ''): string | undefined {
  const encoded = PATH.exec(url)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // No job has such an id; the answer quotes what came.
  }
}

const check = compileSchema(EventsQuery);

/** What a request for a stream asks for, checked. @throws SpillwayError `method_not_allowed`, `invalid_request` */
export function readEventsRequest(request: IncomingMessage): { query: EventsQuery; after: Standing | undefined } {
  if (request.method !== 'GET')
    throw new SpillwayError('method_not_allowed', `expected GET to read events, got ${request.method}`);
  const query = Object.fromEntries(new URL(request.url ?? '', 'http://status').searchParams) as EventsQuery;
  const problems = check(query);
  if (problems.length > 0)
    throw new SpillwayError(
      'invalid_request',
      `the query is not as expected: ${problems.map(({ message }) => message).join('; ')}`,
      { errors: problems },
    );
  // EventSource asks for the same address again, so what it adds by itself is the newer of the two.
  const last = request.headers['last-event-id'];
  if (typeof last === 'string' && last !== '') return { query, after: standingIn('Last-Event-ID', last) };
  return { query, after: query.after === undefined ? undefined : standingIn('after', query.after) };
}

function standingIn(place: string, text: string): Standing {
  const standing = parseId(text);
  if (standing) return standing;
  throw new SpillwayError(
    'invalid_request',
    `expected ${place} to be the id of a message, like 1795388407114-0~12~0, got ${JSON.stringify(text.slice(0, 100))}`,
  );
}
