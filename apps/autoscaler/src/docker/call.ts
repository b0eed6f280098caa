import { request } from 'node:http';

/** Where an engine's API answers: the engine itself, or the proxy before it. */
export type Target = { url: string } | { socketPath: string };

export interface Answer {
  status: number;
  /** JSON, or nothing. */
  text: string;
}

/** A list of a few hundred containers is far below this; what is longer is not what was asked for. */
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;

/**
 * One call of the engine's API, without a time limit: a stop answers when the container has ended.
 * Rejects where nobody answers, or the signal says so.
 */
export function callEngine(
  target: Target,
  { method, path, body, signal }: { method: string; path: string; body?: unknown; signal?: AbortSignal },
): Promise<Answer> {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    ...(payload && { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(payload),
  };
  // Of an address the path is the engine's own: a proxy stands at the root.
  const [address, where] = 'url' in target ? [target.url, {}] : ['http://localhost', target];
  return new Promise((resolve, reject) => {
    // Without an agent: of a few calls a minute a kept connection would mostly be one that the other side has closed.
    const call = request(new URL(path, address), { ...where, method, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > ANSWER_MAX_BYTES) call.destroy(new Error(`expected ${ANSWER_MAX_BYTES} bytes at most of ${path}`));
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.once('error', reject);
    call.end(payload);
  });
}
