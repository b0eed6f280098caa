import { resolve } from 'node:path';

/** Where a store keeps its files. */
export type FileLocation = DiskLocation | S3Location;

interface DiskLocation {
  kind: 'disk';
  folder: string;
}

export interface S3Location {
  kind: 's3';
  bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  prefix: string;
  /** Absent for Amazon's own service. */
  endpoint?: string;
  /** Absent where the AWS environment or profile says it. */
  region?: string;
  forcePathStyle: boolean;
}

const S3_FORM = 's3://<bucket>/<prefix>?endpoint=<url>&region=<name>&forcePathStyle=true';
const S3_OPTIONS = ['endpoint', 'region', 'forcePathStyle'];
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * Reads `SPILLWAY_FILES`: a folder, or an S3 address.
 * @throws TypeError saying what was expected and what came.
 */
export function parseLocation(text: string): FileLocation {
  if (text.trim() === '') throw new TypeError(`file store: expected a folder or ${S3_FORM}, got nothing`);
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1];
  if (!scheme) return { kind: 'disk', folder: resolve(text) };
  if (scheme !== 's3') throw new TypeError(`file store: expected a folder or ${S3_FORM}, got ${scheme}://…`);
  return parseS3(new URL(text));
}

function parseS3(url: URL): S3Location {
  // The address may be printed in logs, so a secret in it is refused rather than used; it is not repeated here either.
  if (url.username || url.password) {
    throw new TypeError(
      'file store: expected no credentials in the s3:// address; set AWS_ACCESS_KEY_ID and so on instead',
    );
  }
  const unknown = [...url.searchParams.keys()].find((name) => !S3_OPTIONS.includes(name));
  if (unknown) throw new TypeError(`file store: expected the options ${S3_OPTIONS.join(', ')}, got ${unknown}`);
  if (!BUCKET.test(url.hostname)) throw new TypeError(`file store: expected a bucket name, got "${url.hostname}"`);
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  const region = url.searchParams.get('region') ?? undefined;
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ''),
    ...(endpoint && { endpoint: httpAddress(endpoint) }),
    ...(region && { region }),
    forcePathStyle: onOrOff(url.searchParams.get('forcePathStyle') ?? 'false'),
  };
}

function httpAddress(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new TypeError(`file store: expected endpoint to be an http(s) address, got "${text}"`);
}

function onOrOff(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new TypeError(`file store: expected forcePathStyle to be true or false, got "${text}"`);
}
