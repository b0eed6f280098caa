// One watcher: a connection that comes back by itself, and asks again for what it watches, as the real client does.
import { bareDialects } from './bare-dialects.mjs';
import { openBareSocket } from './bare-socket.mjs';

/** As in the client and Socket.IO's manager: the pause doubles up to its limit, and each is longer or shorter by up to half. */
const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 5_000;
const JITTER = 0.5;
/** Pause before a question that got a problem for an answer is put again. */
const ASK_AGAIN_MS = 1_000;
const PING = 0x32;

/**
 * `endpoint`: { dialect, host, port, token? }. `tally` counts `refused` (the server said no), `failed` (nobody answered)
 * and `problems` over all watchers. `readyAt` is when it was last connected, and answered where it watches something.
 */
export function createWatcher(endpoint, counter, tally) {
  const dialect = bareDialects[endpoint.dialect];
  const { prefix } = dialect;
  const watcher = { job: undefined, seen: 0, ended: false, readyAt: 0 };
  let socket;
  let connected = false;
  let attempts = 0;
  let questions = 0;
  let onReady;

  function dial() {
    socket = openBareSocket(endpoint, { text: take, closed });
  }

  function closed(refusal) {
    socket = undefined;
    connected = false;
    if (refusal) {
      tally.refused += 1;
      tally.problem ??= `HTTP ${refusal.status}`;
    } else if (attempts > 0) tally.failed += 1;
    const pauseMs = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** attempts);
    const jitter = 1 + JITTER * (Math.random() * 2 - 1);
    attempts += 1;
    setTimeout(dial, Math.max(pauseMs * jitter, (refusal?.retryAfterMs ?? 0) * (1 + JITTER * Math.random())));
  }

  function ask() {
    if (!connected) return;
    questions += 1;
    socket.send(`42${prefix}${questions}${JSON.stringify(dialect.watch(watcher))}`);
  }

  function ready() {
    watcher.readyAt = Date.now();
    onReady?.();
  }

  function take(bytes) {
    if (bytes[0] === PING) return void socket.send('3');
    const kind = bytes.toString('latin1', 0, 2);
    if (kind === '42') {
      counter.frames += 1;
      dialect.event(watcher, parseOnce(bytes.subarray(2 + prefix.length)), counter, ask);
    } else if (kind === '43') takeAnswer(bytes.toString('utf8', 2 + prefix.length));
    else if (kind === '40') {
      connected = true;
      if (watcher.job) ask();
      else ready();
    } else if (kind === '44') refuse(bytes);
    else if (kind[0] === '0') {
      attempts = 0;
      socket.send(`40${prefix}${dialect.hello(endpoint)}`);
    }
  }

  /** Refused in the handshake of the namespace: the connection stands, and is of no use. */
  function refuse(bytes) {
    tally.refused += 1;
    tally.problem ??= bytes.toString();
    socket.destroy();
  }

  function takeAnswer(text) {
    const bracket = text.indexOf('[');
    // An answer to an earlier question is worth nothing: events may have passed in between.
    if (Number(text.slice(0, bracket)) !== questions) return;
    const problem = dialect.answered(watcher, JSON.parse(text.slice(bracket)), counter, ask);
    if (!problem) return ready();
    tally.problems += 1;
    tally.problem ??= JSON.stringify(problem);
    setTimeout(ask, ASK_AGAIN_MS);
  }

  return Object.assign(watcher, {
    /** Resolves when it is connected. */
    open: () => untilReady(dial),
    /** Resolves when the watch is answered. */
    watch(job) {
      watcher.job = job;
      return untilReady(ask);
    },
  });

  function untilReady(start) {
    return new Promise((resolve) => {
      onReady = resolve;
      start();
    });
  }
}

let last = Buffer.alloc(0);
let lastParsed;

/** Every watcher of a room gets the same bytes: they are parsed for the first one. Callers leave the result as it is. */
function parseOnce(bytes) {
  if (bytes.equals(last)) return lastParsed;
  lastParsed = JSON.parse(bytes.toString());
  last = Buffer.from(bytes);
  return lastParsed;
}
