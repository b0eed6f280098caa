import { UnrecoverableJobError } from '@spillway/worker';

/** An address that a job may ask for. @throws UnrecoverableJobError where it is none that can be called safely. */
export function outboundUrl(text: string | URL): URL {
  if (typeof text === 'string' && !URL.canParse(text)) {
    throw new UnrecoverableJobError(`expected an http(s) URL, got ${JSON.stringify(text)}`);
  }
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UnrecoverableJobError(`expected an http(s) URL, got one that begins with ${url.protocol}//`);
  }
  if (url.username || url.password) {
    throw new UnrecoverableJobError('expected a URL without user name and password: a job and its input can be read');
  }
  return url;
}
