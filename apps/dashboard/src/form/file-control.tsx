import { ApiError, type FileInfo } from '@spillway/client';
import { useEffect, useState } from 'preact/hooks';
import { formatBytes } from '../format.ts';
import type { ControlAttributes, FieldProps } from './field-view.tsx';

type Upload =
  | { kind: 'none' }
  | { kind: 'running'; file: File }
  | { kind: 'done'; file: File; info: FileInfo }
  | { kind: 'failed'; file: File; why: string };

/** Choose or drop a file, which is uploaded at once, or name one by its address. The field's value is the reference. */
export function FileControl({ draft, onChange, context, attributes }: FieldProps & { attributes: ControlAttributes }) {
  const [upload, setUpload] = useState<Upload>({ kind: 'none' });
  const [over, setOver] = useState(false);
  const value = typeof draft === 'string' ? draft : '';

  const send = async (file: File) => {
    setUpload({ kind: 'running', file });
    try {
      const info = await context.client.upload(file);
      setUpload({ kind: 'done', file, info });
      onChange(info.ref);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return context.onDenied();
      setUpload({ kind: 'failed', file, why: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <>
      <div class={`drop ${over ? 'drop--over' : ''}`}>
        {/* The control itself covers the whole area, so that dropping a file on it is the browser's own business. */}
        <input
          {...attributes}
          class="drop__input"
          type="file"
          onDragEnter={() => setOver(true)}
          onDragLeave={() => setOver(false)}
          onDrop={() => setOver(false)}
          onChange={({ currentTarget }) => {
            const file = currentTarget.files?.[0];
            if (file) void send(file);
            // The same file may be chosen again after a failure.
            currentTarget.value = '';
          }}
        />
        <UploadState upload={upload} value={value} />
      </div>
      <input
        class="control control--small"
        type="text"
        aria-label="File reference or address"
        placeholder="or file:…, path:…, https://…"
        autocomplete="off"
        spellcheck={false}
        value={value}
        onInput={({ currentTarget }) => {
          setUpload({ kind: 'none' });
          onChange(currentTarget.value);
        }}
      />
    </>
  );
}

function UploadState({ upload, value }: { upload: Upload; value: string }) {
  if (upload.kind === 'done' && upload.info.ref === value) return <Chosen file={upload.file} />;
  switch (upload.kind) {
    case 'running':
      return (
        <p class="drop__text" role="status">
          <strong>{upload.file.name}</strong>
          <span>uploading {formatBytes(upload.file.size)}…</span>
        </p>
      );
    case 'failed':
      return (
        <p class="drop__text drop__text--bad" role="alert">
          <strong>{upload.file.name}</strong>
          <span>{upload.why}</span>
        </p>
      );
    default:
      return (
        <p class="drop__text">
          <strong>Choose a file</strong>
          <span>or drop it here</span>
        </p>
      );
  }
}

function Chosen({ file }: { file: File }) {
  const preview = usePreview(file);
  return (
    <p class="drop__text drop__text--done" role="status">
      {preview && <img class="drop__preview" src={preview} alt="" />}
      <strong>{file.name}</strong>
      <span>{formatBytes(file.size)}, uploaded</span>
    </p>
  );
}

function usePreview(file: File): string | undefined {
  const [url, setUrl] = useState<string | undefined>();
  useEffect(() => {
    if (!file.type.startsWith('image/')) return;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url;
}
