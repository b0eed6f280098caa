import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Spillway, startSpillway } from '@spillway/testkit';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const PHOTO = fileURLToPath(new URL('../../../docs/examples/photo.jpg', import.meta.url));
const SITE = fileURLToPath(new URL('../dist/site/index.html', import.meta.url));

/** The browser must ask nobody but us, also for its own ends. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// Where everything is meant to be checked, a missing browser is a failure and not a reason to look away.
if (!existsSync(PROGRAM) && process.env.CI) throw new Error(`expected a browser at ${PROGRAM}, named by CHROMIUM`);
if (!existsSync(PROGRAM)) {
  console.warn(`The page is not tested: no browser at ${PROGRAM}. Install Chromium, or name it by CHROMIUM=<path>.`);
}
const withBrowser = existsSync(PROGRAM) ? describe : describe.skip;

withBrowser('the page', () => {
  let spillway: Spillway;
  let browser: Browser;

  beforeAll(async () => {
    if (!existsSync(SITE)) throw new Error('expected the page to be built: run `npm run build`');
    // One after the other: where one fails, the other must still be closed.
    browser = await chromium.launch({ executablePath: PROGRAM, headless: true, args: QUIET });
    spillway = await startSpillway();
  });

  afterAll(async () => {
    await browser?.close();
    await spillway?.[Symbol.asyncDispose]();
  });

  test('submits a job through the form and shows its end', async () => {
    await using visit = await open(browser, spillway.url);
    const { page } = visit;
    await submitSteps(page, { steps: 12, stepMs: 60 });

    await page.getByRole('status').getByText('completed').waitFor();
    expect(await barOf(page).getAttribute('aria-valuenow')).toBe('100');
    expect(await page.getByRole('list', { name: 'Log' }).getByText('step 12 of 12 done').count()).toBe(1);
    expect(new URL(page.url()).searchParams.get('job')).toMatch(/^demo\./);
    expect(visit.trouble).toEqual([]);
  });

  test('moves the bar of a job while it runs, and never back', async () => {
    await using visit = await open(browser, spillway.url);
    const { page } = visit;
    const moves = await recordMoves(page);
    await submitSteps(page, { steps: 1000, stepMs: 60 });

    await page.waitForFunction(() => (globalThis as unknown as Recorded).seenValues.length > 5);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('status').getByText('cancelled').waitFor();
    const values = await moves();
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(visit.trouble).toEqual([]);
  });

  test('uploads a photo and shows the pictures that were made of it', async () => {
    await using visit = await open(browser, spillway.url);
    const { page } = visit;
    await page.getByLabel('Type').selectOption('image.variants');
    await page.locator('input[type=file]').setInputFiles(PHOTO);
    await page.getByText('uploaded').waitFor();
    await page.getByRole('button', { name: 'Remove widths 3' }).click();
    await page.getByRole('button', { name: 'Submit job' }).click();

    await page.getByRole('status').getByText('completed').waitFor();
    const pictures = page.locator('figure img');
    await waitUntil(page, () =>
      [...document.querySelectorAll('figure img')].every((image) => (image as HTMLImageElement).naturalWidth > 0),
    );
    expect(await pictures.count()).toBe(6);
    expect(visit.trouble).toEqual([]);
  });

  test('says at the field what the server did not accept', async () => {
    await using visit = await open(browser, spillway.url);
    const { page } = visit;
    await page.getByLabel('Type').selectOption('demo.steps');
    const steps = page.getByLabel('steps', { exact: true });
    await steps.fill('many');
    await page.getByRole('button', { name: 'Submit job' }).click();

    await page.getByText('Expected integer, got "many"').waitFor();
    expect(await steps.getAttribute('aria-invalid')).toBe('true');
    expect(await steps.evaluate((control) => control === document.activeElement)).toBe(true);
    expect(new URL(page.url()).search).toBe('');
  });

  test('shows a job by its address, and runs one that failed again', async () => {
    const id = await submit(spillway.url, { type: 'demo.steps', input: { steps: 3, stepMs: 20, failAt: 2 } });
    await using visit = await open(browser, `${spillway.url}/?job=${encodeURIComponent(id)}`);
    const { page } = visit;
    await page.getByRole('region', { name: 'Opened job' }).getByText('step 2 failed, as it was asked to').waitFor();
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByText('attempt 2 of 2').waitFor();
  });

  test('says so when the address names no job', async () => {
    await using visit = await open(browser, `${spillway.url}/?job=demo.01JD2V9K8Q4W5X6Y7Z8A9B0C1D`);
    await visit.page.getByText('cannot be shown').waitFor();
  });

  test('shows a batch as one bar with its failures, retries those and cancels the rest', async () => {
    const failing = { type: 'demo.steps', input: { steps: 1, stepMs: 0, failAt: 1 }, options: { attempts: 1 } };
    const later = { type: 'demo.noop', options: { delayMs: 3_600_000 } };
    const { id } = await post<{ id: string }>(spillway.url, '/v1/batches', [
      { type: 'demo.noop' },
      failing,
      later,
      later,
    ]);
    await using visit = await open(browser, `${spillway.url}/?batch=${id}`);
    const { page } = visit;
    const batch = page.getByRole('region', { name: 'Opened batch' });
    await batch.getByText('2 of 4 ended').waitFor();
    expect(await batch.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('2');
    const failure = batch.getByRole('region', { name: 'Failures' }).getByRole('link');
    await failure.click();
    await page.getByRole('link', { name: 'its batch' }).click();
    expect(new URL(page.url()).searchParams.get('batch')).toBe(id);

    await post(spillway.url, '/v1/queues/demo/pause');
    await batch.getByRole('button', { name: 'Retry failed' }).click();
    await batch.getByText('1 of 4 ended').waitFor();
    await batch.getByRole('button', { name: 'Cancel all' }).click();
    await batch.getByRole('button', { name: 'Cancel 3 jobs' }).click();
    await batch.getByRole('status').getByText('ended', { exact: true }).waitFor();
    expect(await batch.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('4');
    await post(spillway.url, '/v1/queues/demo/resume');
    expect(visit.trouble).toEqual([]);
  });

  test('says so when the address names no batch', async () => {
    await using visit = await open(browser, `${spillway.url}/?batch=batch.01ARZ3NDEKTSV4RRFFQ69G5FAV`);
    await visit.page.getByText('cannot be shown').waitFor();
  });

  test('shows queues and schedules, and pauses and resumes a queue', async () => {
    await fetch(`${spillway.url}/v1/schedules/yearly`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'demo.noop', cron: '@yearly', timezone: 'Europe/Berlin' }),
    });
    await using visit = await open(browser, spillway.url);
    const { page } = visit;
    await page.getByRole('link', { name: 'Queues' }).click();
    const queue = page.getByRole('listitem', { name: 'Queue demo' });
    await queue.getByRole('button', { name: 'Pause' }).click();
    await queue.getByText('paused').waitFor();
    await queue.getByRole('button', { name: 'Resume' }).click();
    await queue.getByText('runs').waitFor();
    await page.getByRole('row', { name: 'yearly' }).getByText('@yearly Europe/Berlin').waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Jobs' }).waitFor();
    expect(visit.trouble).toEqual([]);
  });

  test('asks for a key where one is needed, and keeps it in the tab', async () => {
    await using guarded = await startSpillway({
      workers: 0,
      env: { SPILLWAY_KEYS: `page:admin:${sha256('letmein')}` },
    });
    await using visit = await open(browser, guarded.url, 'API key');
    const { page } = visit;
    await page.getByLabel('API key').fill('guess');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('does not know this key').waitFor();
    await page.getByLabel('API key').fill('letmein');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('No job types yet').waitFor();
    await page.reload();
    await page.getByText('No job types yet').waitFor();
  });
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

interface Visit extends AsyncDisposable {
  page: Page;
  /** Requests that left the origin, errors of the page, and what its policy refused. */
  trouble: string[];
}

/** Opens the page and waits until the control of that name is there. */
async function open(browser: Browser, address: string, control = 'Type'): Promise<Visit> {
  const context: BrowserContext = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const { origin, host } = new URL(address);
  const trouble: string[] = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && url.origin !== origin) trouble.push(`request to ${url}`);
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== host) trouble.push(`connection to ${socket.url()}`);
  });
  page.on('pageerror', (error) => trouble.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') trouble.push(message.text());
  });
  await page.goto(address);
  await page.getByLabel(control).waitFor();
  return { page, trouble, [Symbol.asyncDispose]: () => context.close() };
}

function barOf(page: Page) {
  return page.getByRole('region', { name: 'Opened job' }).getByRole('progressbar');
}

/** Watches the opened job's bar from now on; the returned function gives the values that it showed, each once. */
interface Recorded {
  seenValues: number[];
}

/** From now on the page notes each value that the bar of its opened job takes; resolves with how to read them. */
async function recordMoves(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const seen: number[] = [];
    Object.assign(globalThis, { seenValues: seen });
    const look = () => {
      const bar = document.querySelector('.opened [role=progressbar]');
      const value = Number(bar?.getAttribute('aria-valuenow') ?? Number.NaN);
      if (!Number.isNaN(value) && value !== seen.at(-1)) seen.push(value);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  return () => page.evaluate(() => (globalThis as unknown as Recorded).seenValues);
}

async function submitSteps(page: Page, input: { steps: number; stepMs: number }): Promise<void> {
  await page.getByLabel('Type').selectOption('demo.steps');
  await page.getByLabel('steps', { exact: true }).fill(String(input.steps));
  await page.getByLabel('stepMs').fill(String(input.stepMs));
  await page.getByRole('button', { name: 'Submit job' }).click();
}

async function waitUntil(page: Page, condition: () => boolean): Promise<void> {
  await page.waitForFunction(condition);
}

async function submit(url: string, body: unknown): Promise<string> {
  return (await post<{ id: string }>(url, '/v1/jobs', body)).id;
}

async function post<T>(url: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}
