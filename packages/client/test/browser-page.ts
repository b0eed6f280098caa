import { existsSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The browser must ask nobody but us, also for its own ends. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A page that the test itself answers for has no address, and may not talk to this machine then.
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
];

// Where everything is meant to be checked, a missing browser is a failure and not a reason to look away.
if (!existsSync(PROGRAM) && process.env.CI) throw new Error(`expected a browser at ${PROGRAM}, named by CHROMIUM`);

export const withBrowser = existsSync(PROGRAM) ? describe : describe.skip;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, headless: true, args: QUIET });
}

export interface OpenPage extends AsyncDisposable {
  page: Page;
  /** Errors of the page. */
  trouble: string[];
  /** Addresses of the WebSockets that it opened. */
  sockets: string[];
}

export interface PageToOpen {
  /** A file in fixtures. */
  script: string;
  body: string;
  /** Runs in the page before everything else. */
  init?: () => void;
  options?: BrowserContextOptions;
}

/** Bundles a script as a page would, and opens it as `<base>/page-under-test`; everything else goes to the server itself. */
export async function openPage(
  browser: Browser,
  base: string,
  { script, body, init, options }: PageToOpen,
): Promise<OpenPage> {
  const bundle = await bundleOf(script);
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  if (init) await page.addInitScript(init);
  const trouble: string[] = [];
  const sockets: string[] = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  page.on('pageerror', (error) => trouble.push(String(error)));
  const html = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>test</title>
    <style>:root { color-scheme: light dark; font-family: sans-serif }</style>${body}<script type="module" src="page.js"></script>`;
  await page.route('**/page-under-test', (route) => route.fulfill({ contentType: 'text/html', body: html }));
  await page.route('**/page.js', (route) => route.fulfill({ contentType: 'text/javascript', body: bundle }));
  await page.goto(`${base}/page-under-test`);
  return { page, trouble, sockets, [Symbol.asyncDispose]: () => context.close() };
}

async function bundleOf(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(__dirname, 'fixtures', script)],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'react',
    // Each development build of React runs effects twice in StrictMode, which is what is to be seen.
    define: { 'process.env.NODE_ENV': '"development"' },
    conditions: ['spillway-source'],
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}
