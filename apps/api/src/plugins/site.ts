import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { App } from '../app.ts';

/** Where the dashboard's build lies, seen from this file's source and from its built form alike. */
const SITE = fileURLToPath(new URL('../../../dashboard/dist/site', import.meta.url));

/** Serves the page at /. Its assets carry their hash in the name and may be kept for ever; the page itself is asked for each time. */
export async function registerSite(app: App): Promise<void> {
  if (!existsSync(SITE)) {
    app.log.warn('the page is not built: run `npm run build`');
    return;
  }
  await app.register(fastifyStatic, {
    root: SITE,
    cacheControl: false,
    setHeaders: (reply, path) => {
      reply.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
