import type { Client, ConnectionState } from '@spillway/client';
import type { Place } from './address.ts';
import type { BoardView } from './board.ts';
import { useConnection } from './hooks.ts';
import { type Go, Link } from './link.tsx';

interface HeaderProps {
  client: Client;
  view: BoardView;
  place: Place;
  onGo: Go;
  /** Present while a key is in use. */
  onForget: (() => void) | undefined;
}

export function Header({ client, view, place, onGo, onForget }: HeaderProps) {
  return (
    <header>
      <div class="header">
        <Link class="brand" to={{ kind: 'jobs' }} onGo={onGo}>
          <Mark />
          <h1>Spillway</h1>
        </Link>
        <nav class="places" aria-label="Places">
          <PlaceLink name="Jobs" to={{ kind: 'jobs' }} isHere={place.kind !== 'queues'} onGo={onGo} />
          <PlaceLink name="Queues" to={{ kind: 'queues' }} isHere={place.kind === 'queues'} onGo={onGo} />
        </nav>
        <Totals totals={view.totals} />
        <Connection state={useConnection(client)} trouble={view.trouble} />
        {onForget && (
          <button class="button button--quiet" type="button" onClick={onForget}>
            Forget key
          </button>
        )}
      </div>
      <Cascade />
    </header>
  );
}

function PlaceLink({ name, to, isHere, onGo }: { name: string; to: Place; isHere: boolean; onGo: Go }) {
  return (
    <Link class="places__one" to={to} onGo={onGo} {...(isHere && { 'aria-current': 'page' })}>
      {name}
    </Link>
  );
}

function Cascade() {
  return (
    <svg class="cascade" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <path d="M0 .5H34V4.2H62V7.9H81V11.5H100" />
    </svg>
  );
}

/** Water that comes down in steps. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path class="mark__fall" d="M3 9h8v7h8v7h10" />
      <path class="mark__water" d="M15 9h4M23 16h4" />
    </svg>
  );
}

function Totals({ totals }: Pick<BoardView, 'totals'>) {
  if (!totals) return <span class="totals" />;
  const { active, waiting, workers } = totals;
  return (
    <dl class="totals">
      <Total name={active === 1 ? 'job running' : 'jobs running'} count={active} />
      <Total name="waiting" count={waiting} />
      <Total name={workers === 1 ? 'worker' : 'workers'} count={workers} />
    </dl>
  );
}

function Total({ name, count }: { name: string; count: number }) {
  return (
    <div class="totals__item">
      <dt>{name}</dt>
      <dd>{count.toLocaleString('en')}</dd>
    </div>
  );
}

const CONNECTION: Record<ConnectionState, { text: string; tone: string }> = {
  idle: { text: 'Ready', tone: 'good' },
  live: { text: 'Live', tone: 'good' },
  connecting: { text: 'Connecting', tone: 'open' },
  reconnecting: { text: 'Reconnecting', tone: 'open' },
};

/** Whether what the page shows is the present. */
function Connection({ state, trouble }: { state: ConnectionState; trouble: string | undefined }) {
  const { text, tone } = trouble ? { text: trouble, tone: 'bad' } : CONNECTION[state];
  return (
    <p class={`connection connection--${tone}`} role="status">
      <span class="connection__dot" aria-hidden="true" />
      {text}
    </p>
  );
}
