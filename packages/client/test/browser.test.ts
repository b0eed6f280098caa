import { call, type Spillway, startSpillway } from '@spillway/testkit';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openPage, withBrowser } from './browser-page.ts';
import { JOB, LiveServer, until } from './live-server.ts';

withBrowser('in a browser', () => {
  let browser: Browser;
  let spillway: Spillway;

  beforeAll(async () => {
    browser = await launchBrowser();
    spillway = await startSpillway();
  });

  afterAll(async () => {
    await browser?.close();
    await spillway?.[Symbol.asyncDispose]();
  });

  async function submit(steps: number, stepMs: number): Promise<string> {
    const { body } = await call<{ id: string }>(spillway.url, 'POST', '/v1/jobs', {
      type: 'demo.steps',
      input: { steps, stepMs },
    });
    return body.id;
  }

  test('the element shows a job to its end, for eyes and for screen readers', async () => {
    await using visit = await openPage(browser, spillway.url, {
      script: 'element-page.js',
      body: `<spillway-progress base-url="${spillway.url}" label="Report"></spillway-progress>`,
    });
    const { page } = visit;
    const bar = page.getByRole('progressbar', { name: 'Report' });
    const job = await submit(10, 100);
    await page.evaluate((id) => document.querySelector('spillway-progress')?.setAttribute('job', id), job);
    await page.locator('spillway-progress[state=completed]').waitFor();
    expect(await bar.getAttribute('aria-valuenow')).toBe('100');
    expect(await bar.getAttribute('aria-valuetext')).toBe('completed 100 %');
    await page.getByRole('status').getByText('completed').waitFor({ state: 'attached' });
    const told = await page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
    expect(told.at(-1)).toBe('spillway-end completed');
    expect(told.filter((one) => one === 'spillway-end completed')).toHaveLength(1);
    expect(told.length).toBeGreaterThan(3);
    expect(visit.trouble).toEqual([]);
  });

  test('the element follows its attributes, and stops when it leaves the document', async () => {
    await using server = await LiveServer.start();
    const other = JOB.replace(/D$/, 'E');
    server.add(JOB);
    server.add(other);
    await using visit = await openPage(browser, server.url, {
      script: 'element-page.js',
      body: `<spillway-progress job="${JOB}" base-url="${server.url}"></spillway-progress>`,
    });
    const { page } = visit;
    await page.locator('spillway-progress[state=waiting]').waitFor();
    server.change({ kind: 'state', state: 'active' }, other);
    await page.evaluate((id) => document.querySelector('spillway-progress')?.setAttribute('job', id), other);
    await page.locator('spillway-progress[state=active]').waitFor();
    await page.evaluate(() => document.querySelector('spillway-progress')?.remove());
    await until(() => server.connected === 0);
    expect(visit.trouble).toEqual([]);
  });

  test.each(['light', 'dark'] as const)(
    'the element fits a narrow page and is drawn for a %s one',
    async (colorScheme) => {
      const job = await submit(1, 1);
      await using visit = await openPage(browser, spillway.url, {
        script: 'element-page.js',
        body: `<style>spillway-progress::part(bar) { outline-style: dotted } spillway-progress { --spillway-height: 20px }</style>
        <spillway-progress job="${job}" base-url="${spillway.url}" label="${'A long label '.repeat(8)}"></spillway-progress>`,
        options: { colorScheme, viewport: { width: 280, height: 400 }, reducedMotion: 'reduce' },
      });
      const { page } = visit;
      await page.locator('spillway-progress[state=completed]').waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(280);
      const look = await lookOf(page);
      expect(look).toMatchObject({ outline: 'dotted', height: '20px', transition: '0s' });
      expect(look.text).toBe(colorScheme === 'light' ? 'rgb(31, 35, 40)' : 'rgb(230, 232, 235)');
    },
  );

  test('the hook draws a job in StrictMode, asks for it once, and ends with its component', async () => {
    const job = await submit(400, 50);
    await using visit = await openPage(browser, spillway.url, {
      script: 'hook-page.jsx',
      body: `<body data-job="${job}"><main></main>`,
    });
    const { page } = visit;
    await page.locator('p.view b').first().getByText('active').waitFor();
    await page.locator('p.view s').first().getByText('live').waitFor();
    expect(visit.sockets).toHaveLength(1);
    await page.getByRole('button', { name: 'Hide' }).click();
    await page.waitForFunction(() => (globalThis as unknown as Told).client.connection.state === 'idle');
    expect(visit.sockets).toHaveLength(1);
    expect(visit.trouble).toEqual([]);
  });

  test('the hook cancels its job', async () => {
    await using server = await LiveServer.start();
    server.add();
    await using visit = await openPage(browser, server.url, {
      script: 'hook-page.jsx',
      body: `<body data-job="${JOB}"><main></main>`,
    });
    const { page } = visit;
    await page.locator('p.view b').first().getByText('waiting').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).first().click();
    await until(() => server.commands.length === 1);
    server.change({ kind: 'state', state: 'cancelled' });
    await page.locator('p.view b').first().getByText('cancelled').waitFor();
    expect(visit.trouble).toEqual([]);
  });

  test('a reload shows at once what was held, and goes on from there', async () => {
    const job = await submit(60, 100);
    await using visit = await openPage(browser, spillway.url, {
      script: 'watch-page.js',
      body: `<body data-job="${job}">`,
    });
    const { page } = visit;
    await page.waitForFunction(() => ((globalThis as unknown as Told).watch.current?.log.length ?? 0) > 3);
    await page.reload();
    const first = await page.evaluate(() => (globalThis as unknown as Told).first);
    expect(first?.length).toBeGreaterThan(3);
    await page.waitForFunction(() => (globalThis as unknown as Told).watch.current?.job.state === 'completed');
    const numbers = await page.evaluate(() => (globalThis as unknown as Told).watch.current?.log.map(({ n }) => n));
    expect(numbers).toEqual(numbers?.map((_, index) => index));
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(visit.trouble).toEqual([]);
  });

  test('where the page has no WebSocket, a job is followed over HTTP to its end', async () => {
    const job = await submit(50, 100);
    await using visit = await openPage(browser, spillway.url, {
      script: 'watch-page.js',
      init: () => {
        globalThis.WebSocket = class {
          onerror?: (event: Event) => void;
          constructor() {
            setTimeout(() => this.onerror?.(new Event('error')));
          }
          close() {}
        } as unknown as typeof WebSocket;
      },
      body: `<body data-job="${job}">`,
    });
    const { page } = visit;
    await page.waitForFunction(() => (globalThis as unknown as Told).client.connection.via !== undefined);
    const via = await page.evaluate(() => (globalThis as unknown as Told).client.connection.via);
    expect(['sse', 'polling']).toContain(via);
    await page.waitForFunction(() => (globalThis as unknown as Told).watch.current?.job.state === 'completed');
    const end = await page.evaluate(() => (globalThis as unknown as Told).watch.current);
    expect(end?.log.map(({ n }) => n)).toEqual(end?.log.map((_, index) => index));
    expect(visit.trouble).toEqual([]);
  });
});

interface Told {
  first: number[] | undefined;
  client: { connection: { state: string; via: string | undefined } };
  watch: { current?: { job: { state: string }; log: { n: number }[] } };
}

function lookOf(page: Page) {
  return page.evaluate(() => {
    const host = document.querySelector('spillway-progress');
    const part = (name: string) => getComputedStyle(host?.shadowRoot?.querySelector(`[part=${name}]`) as Element);
    return {
      outline: part('bar').outlineStyle,
      height: part('track').height,
      transition: part('bar').transitionDuration,
      text: getComputedStyle(host as Element).color,
    };
  });
}
