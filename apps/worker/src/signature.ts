import { createHmac } from 'node:crypto';

/** Shorter keys can be guessed; the Standard Webhooks specification asks for 24 to 64 bytes. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;

/**
 * Reads a Standard Webhooks secret: base64 of 24 to 64 random bytes, with or without `whsec_` in front.
 * @throws TypeError that never repeats the secret.
 */
export function parseSigningKey(secret: string): Buffer {
  const encoded = secret.replace(/^whsec_/, '');
  const key = Buffer.from(encoded, 'base64');
  const wellFormed = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded);
  if (wellFormed && key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES) return key;
  throw new TypeError(
    `expected whsec_ and the base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} random bytes (\`openssl rand -base64 32\` makes them), got something else`,
  );
}

/**
 * The headers that identify a message and, with a key, prove where it comes from (https://www.standardwebhooks.com).
 * The id stays the same over all attempts, so a receiver can tell a repeat.
 */
export function webhookHeaders(
  message: { id: string; body: string; timestampSeconds: number },
  key: Buffer | undefined,
): Record<string, string> {
  const { id, body, timestampSeconds } = message;
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestampSeconds) };
  if (!key) return headers;
  const signature = createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
