import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { UnrecoverableJobError } from '@spillway/worker';
import { Agent, buildConnector } from 'undici';
import { type Permit, rangeOf } from './addresses.ts';

/** Finds all addresses of a host, as `dns.lookup` does with `all`. */
export type Resolve = (
  host: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const CONNECT_MS = 10_000;
/** A server that is silent for longer than this counts as gone. */
const SILENCE_MS = 30_000;

/**
 * A connection pool that connects only to addresses that are permitted. The check stands where the connection is made, on
 * the very address that is connected to: a name that resolves differently a moment later (DNS rebinding), a redirect and
 * an address written in digits all pass through it. Close it with `destroy()`.
 */
export function openOutbound(permit: Permit, resolve: Resolve = systemLookup): Agent {
  const connect = buildConnector({ timeout: CONNECT_MS, lookup: guardedLookup(permit, resolve) });
  return new Agent({
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
    connect(options, callback) {
      const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
      // A host that is an address is never looked up, so it is judged here.
      if (isIP(host) && !permit(host, host)) callback(refusal(host, [host]), null);
      else connect(options, callback);
    },
  });
}

function guardedLookup(permit: Permit, resolve: Resolve): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const permitted = found.filter(({ address }) => permit(host, address));
      const [first] = permitted;
      if (!first)
        return callback(
          refusal(
            host,
            found.map(({ address }) => address),
          ),
          [],
        );
      if (options.all) return callback(null, permitted);
      callback(null, first.address, first.family);
    });
  };
}

function refusal(host: string, addresses: readonly string[]): UnrecoverableJobError {
  const ranges = [...new Set(addresses.map(rangeOf))].join(', ') || 'unknown';
  return new UnrecoverableJobError(
    `expected a host with a public address, got ${host}, whose address is ${ranges}; SPILLWAY_ALLOW_PRIVATE can permit it`,
  );
}

/** Refusals that may pass: too slow, in conflict, too early, too many. */
const PASSING = new Set([408, 409, 425, 429]);

/** Whether the same call may be answered differently later. Pure. */
export function mayPass(status: number): boolean {
  return status >= 500 || PASSING.has(status);
}

/**
 * What to throw for a failed call. Connection errors carry their reason in a code, and some have no message at all; an
 * aborted call ends with the reason of the signal.
 */
export function callProblem(url: URL, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof UnrecoverableJobError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new Error(`expected an answer from ${url.host}, got ${code ?? message}`, { cause: error });
}
