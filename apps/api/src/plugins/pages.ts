import { existsSync } from 'node:fs';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyPluginAsync } from 'fastify';
import type { App } from '../app.ts';
import { SITE } from '../site.ts';

/** The page loads nothing from elsewhere and runs no inline script. */
const PAGE_POLICY = {
  defaultSrc: ["'self'"],
  imgSrc: ["'self'", 'data:', 'blob:'],
  connectSrc: ["'self'", 'ws:', 'wss:'],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
};

/** What people look at in a browser: the page at / and the reference at /docs, which loads nothing from elsewhere. */
export async function registerPages(app: App): Promise<void> {
  await app.register(pages);
}

// A scope of their own: what helmet adds to every reply is for pages, and calls to the API need not pay for it.
const pages: FastifyPluginAsync = async (scope) => {
  await scope.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    strictTransportSecurity: false,
  });
  await scope.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  if (!existsSync(SITE)) {
    scope.log.warn('the page is not built: run `npm run build`');
    return;
  }
  await scope.register(fastifyStatic, {
    root: SITE,
    cacheControl: false,
    // Assets carry their hash in the name and may be kept for ever; the page itself is asked for each time.
    setHeaders: (reply, path) => {
      reply.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
};
