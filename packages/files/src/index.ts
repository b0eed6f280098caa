export { DEFAULT_ALLOWED_TYPES, isText } from './content-type.ts';
export { fileRef, fileUrl, isFileId } from './file-id.ts';
export { type FileStore, type FileStoreConfig, isFileNotFound, openFileStore, type StoredFile } from './file-store.ts';
