import { SpillwayError } from '@spillway/contracts';
// By its node door: the package's main door has no condition that jest's CommonJS resolution knows.
import { fileTypeFromBuffer, supportedMimeTypes } from 'file-type/node';

/** What a store takes where its configuration does not say. Types that a browser would run (HTML, SVG) are left out on purpose. */
export const DEFAULT_ALLOWED_TYPES: readonly string[] = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/gif',
  'image/tiff',
  'image/heic',
  'application/pdf',
  'text/csv',
  'text/tab-separated-values',
  'text/plain',
  'text/markdown',
  'application/json',
  'application/x-ndjson',
  'application/zip',
  'application/gzip',
  'video/mp4',
  'video/webm',
  'video/quicktime',
  'audio/mp4',
  'audio/mpeg',
  'audio/wav',
  'audio/ogg',
  'audio/flac',
];

/** How much of a file is looked at to tell its type; file-type's own sample size. */
export const HEAD_BYTES = 4100;

/** Text has no magic bytes; its extension stands for its type where nobody declared one. */
const TEXT_EXTENSIONS: Record<string, string> = {
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  txt: 'text/plain',
  log: 'text/plain',
  md: 'text/markdown',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
};

const ALIASES: Record<string, string> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'application/x-pdf': 'application/pdf',
  'application/csv': 'text/csv',
  'text/x-csv': 'text/csv',
  'text/json': 'application/json',
  'text/x-markdown': 'text/markdown',
  'application/jsonl': 'application/x-ndjson',
  'application/ndjson': 'application/x-ndjson',
  'application/x-zip-compressed': 'application/zip',
  'application/x-gzip': 'application/gzip',
  'audio/mp3': 'audio/mpeg',
  'audio/x-m4a': 'audio/mp4',
  'audio/wave': 'audio/wav',
  'audio/x-wav': 'audio/wav',
  'audio/vnd.wave': 'audio/wav',
  'audio/x-flac': 'audio/flac',
};

const UNDECLARED = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

export interface IdentifiedType {
  contentType: string;
  extension: string;
}

/**
 * Tells a file's type by its first bytes and holds it against what was declared and what is allowed.
 * @throws SpillwayError `unsupported_media_type` saying what was expected and what came.
 */
export async function identify(
  head: Uint8Array,
  about: { name: string; contentType?: string },
  allowedTypes: readonly string[],
): Promise<IdentifiedType> {
  const found = await agree(head, claimOf(about));
  if (isAllowed(found.contentType, allowedTypes)) return found;
  throw new SpillwayError(
    'unsupported_media_type',
    `Expected a file of one of the types ${allowedTypes.join(', ')}, got ${found.contentType}.`,
  );
}

async function agree(head: Uint8Array, claim: string | undefined): Promise<IdentifiedType> {
  // Asked before the magic bytes: a CSV whose first column is called "BMI" starts like a bitmap.
  if (claim && isTextType(claim) && isText(head)) return { contentType: claim, extension: textExtension(claim) };
  const detected = await detect(head);
  if (!claim) return detected ?? unmarked(head);
  if (claim === detected?.contentType) return detected;
  if (!isTextType(claim) && !supportedMimeTypes.has(claim)) return { contentType: claim, extension: 'bin' };
  throw new SpillwayError(
    'unsupported_media_type',
    `Expected ${claim}, as declared, got ${detected?.contentType ?? describe(head)}.`,
  );
}

async function detect(head: Uint8Array): Promise<IdentifiedType | undefined> {
  const found = await fileTypeFromBuffer(head);
  return found && { contentType: bare(found.mime), extension: found.ext.split('.').at(-1) ?? 'bin' };
}

function unmarked(head: Uint8Array): IdentifiedType {
  if (isText(head)) return { contentType: 'text/plain', extension: 'txt' };
  return { contentType: 'application/octet-stream', extension: 'bin' };
}

/** The type that the sender says the file has, by its declaration or, for text, its name. */
function claimOf(about: { name: string; contentType?: string }): string | undefined {
  const declared = bare(about.contentType ?? '');
  const byName = TEXT_EXTENSIONS[extensionOf(about.name)];
  if (UNDECLARED.has(declared)) return byName;
  // Windows declares every .csv file as a spreadsheet where Excel is installed.
  if (declared === 'application/vnd.ms-excel' && byName === 'text/csv') return byName;
  return declared;
}

/** A media type without parameters, by its usual name. */
function bare(contentType: string): string {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  return ALIASES[type] ?? type;
}

function extensionOf(name: string): string {
  return /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
}

function isTextType(contentType: string): boolean {
  return (
    contentType.startsWith('text/') || contentType === 'application/json' || contentType === 'application/x-ndjson'
  );
}

function textExtension(contentType: string): string {
  return Object.entries(TEXT_EXTENSIONS).find(([, type]) => type === contentType)?.[0] ?? 'txt';
}

function isAllowed(contentType: string, allowedTypes: readonly string[]): boolean {
  const family = `${contentType.split('/')[0]}/*`;
  return allowedTypes.some((allowed) => allowed === contentType || allowed === family || allowed === '*');
}

function describe(head: Uint8Array): string {
  if (head.byteLength === 0) return 'an empty file';
  return isText(head) ? 'text' : 'bytes of no known type';
}

/**
 * Whether bytes read as text: no control characters but white space and escape. Bytes above 127 pass whatever the
 * encoding, because exports in Windows-1252 are common; UTF-16 passes by its byte order mark.
 */
export function isText(bytes: Uint8Array): boolean {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (utf16) return true;
  return !bytes.some((byte) => byte === 0x7f || (byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x1b));
}
