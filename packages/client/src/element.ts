import { isFinal, type JobState, type WatchedJob } from '@spillway/contracts';
import { type Client, createClient } from './client.ts';
import { STYLE } from './element-style.ts';
import { fractionOf } from './fraction.ts';
import type { JobWatch } from './job-watch.ts';

/** Sent as `spillway-change` at each change, and as `spillway-end` once: at the end, or where the job cannot be watched. */
export type SpillwayProgressEvent = CustomEvent<{ job: WatchedJob | undefined; error?: Error }>;

/** A screen reader is told the way in steps of this size. */
const SAY_EVERY = 0.25;

/** In Node there is no HTMLElement; importing this there must not throw, so that a page can be rendered on a server. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as unknown as typeof HTMLElement);

const WORDS: Record<JobState, string> = {
  waiting: 'waiting',
  delayed: 'waiting for its time',
  blocked: 'waiting for other jobs',
  active: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

/**
 * `<spillway-progress job="…" base-url="…" token="…" label="…">`: a job's progress bar. It watches while it is in the
 * document and its attributes may change at any time. `base-url` is the page's own address where it is missing. Style it
 * by the custom properties of its style sheet and by `::part(label)`, `state`, `track` and `bar`; the attribute `state`
 * says how the job stands.
 */
export class SpillwayProgress extends Base {
  static readonly observedAttributes = ['job', 'base-url', 'token', 'label'];
  #parts: Parts | undefined;
  #watch: JobWatch | undefined;
  #release = () => {};
  #own: Client | undefined;
  #restarting = false;
  #shown: string | null = null;
  #said: { state: JobState; fraction: number } | undefined;

  /** A client to watch with, e.g. one with `getToken`; `base-url` is not looked at then. */
  get client(): Client | undefined {
    return this.#own;
  }

  set client(client: Client | undefined) {
    this.#own = client;
    this.#restart();
  }

  connectedCallback(): void {
    this.#parts ??= draw(this);
    this.#restart();
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  attributeChangedCallback(name: string): void {
    if (name === 'label') this.#showLabel();
    else this.#restart();
  }

  /** Several attributes that are set in one turn are one new watch. */
  #restart(): void {
    if (this.#restarting) return;
    this.#restarting = true;
    queueMicrotask(() => {
      this.#restarting = false;
      this.#stop();
      if (this.isConnected) this.#start();
    });
  }

  #start(): void {
    const id = this.getAttribute('job');
    // A new token is no reason to take away what is shown of the job.
    if (id !== this.#shown) this.#reset();
    this.#shown = id;
    if (!id) return;
    const token = this.getAttribute('token') ?? undefined;
    const { client, release } = this.#own ? { client: this.#own, release: () => {} } : borrowClient(this.#baseUrl());
    const watch = client.watch(id, { token });
    this.#watch = watch;
    this.#release = release;
    watch.onChange((held) => this.#show(held));
    watch.done.then(
      (held) => this.#tell(watch, 'spillway-end', { job: held }),
      (error: Error) => {
        if (this.#watch === watch) this.#showTrouble(error);
        this.#tell(watch, 'spillway-end', { job: watch.current, error });
      },
    );
  }

  #stop(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.close();
    this.#release();
    this.#release = () => {};
  }

  #baseUrl(): string {
    return new URL(this.getAttribute('base-url') ?? '/', document.baseURI).href;
  }

  #reset(): void {
    this.#said = undefined;
    this.removeAttribute('state');
    if (!this.#parts) return;
    this.#parts.state.textContent = '';
    this.#parts.said.textContent = '';
    this.#showFraction(undefined, false);
    this.#showLabel();
  }

  #show(held: WatchedJob): void {
    const { job } = held;
    const fraction = fractionOf(job);
    if (!this.#parts) return;
    this.setAttribute('state', job.state);
    this.#showFraction(fraction, job.state === 'active');
    this.#showLabel();
    const percent = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`;
    this.#parts.state.textContent = `${WORDS[job.state]}${job.state === 'active' ? percent : ''}`;
    this.#parts.track.setAttribute('aria-valuetext', `${WORDS[job.state]}${percent}`);
    this.#say(job.state, fraction ?? 0, job.error?.message);
    if (this.#watch) this.#tell(this.#watch, 'spillway-change', { job: held });
  }

  #showFraction(fraction: number | undefined, running: boolean): void {
    if (!this.#parts) return;
    const { track, bar } = this.#parts;
    bar.style.setProperty('--fraction', `${(fraction ?? 0) * 100}%`);
    track.classList.toggle('unknown', fraction === undefined && running);
    if (fraction === undefined) track.removeAttribute('aria-valuenow');
    else track.setAttribute('aria-valuenow', String(Math.floor(fraction * 100)));
  }

  #showLabel(): void {
    if (!this.#parts) return;
    const job = this.#watch?.current?.job;
    const label = this.getAttribute('label') ?? 'Progress';
    this.#parts.label.textContent = job?.progress?.message ?? label;
    this.#parts.track.setAttribute('aria-label', label);
  }

  #showTrouble(error: Error): void {
    if (!this.#parts) return;
    this.#parts.state.textContent = 'cannot be shown';
    this.#parts.said.textContent = error.message;
    this.#showFraction(undefined, false);
  }

  /** Each state and each step of the way is said, not every change. */
  #say(state: JobState, fraction: number, why: string | undefined): void {
    const before = this.#said;
    if (before?.state === state && fraction - before.fraction < SAY_EVERY) return;
    this.#said = { state, fraction };
    if (!this.#parts) return;
    const how = isFinal(state) ? (why ?? '') : fraction > 0 ? `${Math.floor(fraction * 100)} %` : '';
    this.#parts.said.textContent = [WORDS[state], how].filter(Boolean).join(', ');
  }

  #tell(watch: JobWatch, type: string, detail: SpillwayProgressEvent['detail']): void {
    if (this.#watch === watch) this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

interface Parts {
  label: HTMLElement;
  state: HTMLElement;
  track: HTMLElement;
  bar: HTMLElement;
  said: HTMLElement;
}

function draw(host: HTMLElement): Parts {
  const root = host.attachShadow({ mode: 'open' });
  const make = (name: string, attributes: Record<string, string>, ...children: HTMLElement[]) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const label = make('span', { part: 'label', 'aria-hidden': 'true' });
  const state = make('span', { part: 'state', 'aria-hidden': 'true' });
  const bar = make('div', { part: 'bar' });
  const track = make('div', { part: 'track', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' }, bar);
  const said = make('span', { role: 'status', 'aria-live': 'polite' });
  // A style element would need a permission where a policy names the page's styles; a sheet made by script does not.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.append(make('div', { class: 'line' }, label, state), track, said);
  return { label, state, track, bar, said };
}

/** Elements for the same server share one client, and so one connection where they have the same right. */
const shared = new Map<string, { client: Client; users: number }>();

function borrowClient(baseUrl: string): { client: Client; release(): void } {
  const entry = shared.get(baseUrl) ?? { client: createClient({ baseUrl }), users: 0 };
  shared.set(baseUrl, entry);
  entry.users += 1;
  return {
    client: entry.client,
    release() {
      entry.users -= 1;
      if (entry.users === 0) shared.delete(baseUrl);
    },
  };
}

// Under another copy of this module the name may be taken already; the first one serves for both.
if (globalThis.customElements && !customElements.get('spillway-progress')) {
  customElements.define('spillway-progress', SpillwayProgress);
}

declare global {
  interface HTMLElementTagNameMap {
    'spillway-progress': SpillwayProgress;
  }
}
