import type { Client, OutputChunk } from '@spillway/client';
import { useEffect, useState } from 'preact/hooks';
import { formatBytes } from '../format.ts';
import { RowsView } from './rows-view.tsx';

interface OutputViewProps {
  chunks: readonly OutputChunk[];
  client: Client;
  authorized: boolean;
}

/** A chunk that is a picture: an object with the address of an image. */
interface Picture {
  url: string;
  format?: string;
  contentType?: string;
  width?: number;
  height?: number;
  sizeBytes?: number;
  name?: string;
}

const CHUNKS_SHOWN = 200;

/** Pictures as pictures, everything else as compact rows. */
export function OutputView({ chunks, client, authorized }: OutputViewProps) {
  const shown = chunks.slice(-CHUNKS_SHOWN);
  const pictures = shown.filter(({ chunk }) => isPicture(chunk));
  const rest = shown.filter(({ chunk }) => !isPicture(chunk));
  return (
    <>
      {shown.length < chunks.length && (
        <p class="quiet">{(chunks.length - shown.length).toLocaleString('en')} earlier chunks are not shown.</p>
      )}
      {pictures.length > 0 && (
        <ul class="pictures">
          {pictures.map(({ n, chunk }) => (
            <li key={n}>
              <PictureView picture={chunk as Picture} client={client} authorized={authorized} />
            </li>
          ))}
        </ul>
      )}
      {rest.length > 0 && <RowsView rows={rest} />}
    </>
  );
}

const IMAGE_NAME = /\.(?:avif|gif|jpe?g|png|webp)$/i;
const IMAGE_FORMATS = ['avif', 'gif', 'jpeg', 'jpg', 'png', 'webp'];

function isPicture(chunk: unknown): boolean {
  if (typeof chunk !== 'object' || chunk === null || !('url' in chunk) || typeof chunk.url !== 'string') return false;
  const { url, format, contentType } = chunk as Picture;
  if (!isOwnAddress(url)) return false;
  return IMAGE_NAME.test(url) || IMAGE_FORMATS.includes(format ?? '') || contentType?.startsWith('image/') === true;
}

/** The page loads nothing from elsewhere, pictures included. */
function isOwnAddress(url: string): boolean {
  return URL.canParse(url, location.href) && new URL(url, location.href).origin === location.origin;
}

function PictureView({ picture, client, authorized }: { picture: Picture; client: Client; authorized: boolean }) {
  const { url, width, height, sizeBytes, format } = picture;
  const src = usePictureSource(url, client, authorized);
  const size = width && height ? `${width} × ${height}` : '';
  const kind = format ?? IMAGE_NAME.exec(url)?.[0].slice(1) ?? '';
  return (
    <figure class="picture">
      <a href={src ?? url} target="_blank" rel="noreferrer">
        {src && <img src={src} width={width} height={height} alt={`${kind} ${size}`.trim()} loading="lazy" />}
      </a>
      <figcaption>
        <span>{size}</span>
        <span>{kind}</span>
        <span>{sizeBytes !== undefined && formatBytes(sizeBytes)}</span>
      </figcaption>
    </figure>
  );
}

/** An `img` cannot send a key, so with one in use the picture is fetched here and shown from memory. */
function usePictureSource(url: string, client: Client, authorized: boolean): string | undefined {
  const [fetched, setFetched] = useState<string | undefined>();
  useEffect(() => {
    if (!authorized) return;
    let made: string | undefined;
    let gone = false;
    client.download(url).then(
      (blob) => {
        if (gone) return;
        made = URL.createObjectURL(blob);
        setFetched(made);
      },
      // The caption still says what it is, and the link leads to the reason.
      () => undefined,
    );
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [url, client, authorized]);
  return authorized ? fetched : url;
}
