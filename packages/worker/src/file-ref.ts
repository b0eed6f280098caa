import { type TString, Type } from '@spillway/schema';
import { UnrecoverableJobError } from './unrecoverable.ts';

/** Where a job finds its bytes. */
export type FileReference = { kind: 'file'; id: string } | { kind: 'path'; path: string } | { kind: 'url'; url: URL };

const FORMS = 'file:<id> of an upload, path:<path> under a permitted folder, or an http(s) URL';
const PATTERN = '^(file:[0-7][0-9A-HJKMNP-TV-Z]{25}\\.[a-z0-9]{1,10}|path:.+|https?://.+)$';

/**
 * Schema of an input field that names a file: one string. Forms draw it as a file picker (`x-control`), and a wrong value
 * is answered in the words of `x-expected`.
 */
export function FileRef(options: { title?: string; description?: string } = {}): TString {
  return Type.String({
    description: FORMS,
    ...options,
    pattern: PATTERN,
    maxLength: 2048,
    'x-control': 'file',
    'x-expected': `a file reference: ${FORMS}`,
  });
}

/** @throws UnrecoverableJobError where the text is no file reference. Whether there is such a file is for whoever opens it to find out. */
export function parseFileRef(text: string): FileReference {
  if (!new RegExp(PATTERN).test(text))
    throw new UnrecoverableJobError(`expected ${FORMS}, got ${JSON.stringify(text)}`);
  if (text.startsWith('file:')) return { kind: 'file', id: text.slice('file:'.length) };
  if (text.startsWith('path:')) return { kind: 'path', path: text.slice('path:'.length) };
  if (!URL.canParse(text)) throw new UnrecoverableJobError(`expected a URL, got ${JSON.stringify(text)}`);
  return { kind: 'url', url: new URL(text) };
}
