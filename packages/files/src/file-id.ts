import { ulid } from 'ulid';

/** A file's id: a ulid and the extension of its content type. It never holds a separator, so it cannot lead out of the store. */
const FILE_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}\.[a-z0-9]{1,10}$/;

export function newFileId(extension: string): string {
  return `${ulid()}.${extension}`;
}

export function isFileId(text: string): boolean {
  return FILE_ID.test(text);
}

/** What a job's input takes for a stored file. */
export function fileRef(id: string): string {
  return `file:${id}`;
}

/** Where api serves a stored file: a path, because a worker does not know under which host it is reached. */
export function fileUrl(id: string): string {
  return `/v1/files/${id}`;
}
