import type { Client, ConnectionState } from '@spillway/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Board, BoardView } from './board.ts';

export function useBoard(board: Board): BoardView {
  const [, redraw] = useState(0);
  useEffect(() => board.subscribe(() => redraw((count) => count + 1)), [board]);
  return board.view;
}

export function useConnection({ connection }: Client): ConnectionState {
  const [state, setState] = useState(connection.state);
  useEffect(() => connection.onChange(setState), [connection]);
  return state;
}

/** The tab tells how it stands while another one is in front. */
export function useTitle(text: string): void {
  useEffect(() => {
    document.title = `${text} – Spillway`;
    return () => {
      document.title = 'Spillway';
    };
  }, [text]);
}

/** The time, told again every second while `running`; for what counts up on the page. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}

/** Where the columns stand one above the other, what is opened would else appear out of sight. */
export function useScrolledIntoView(ready: boolean) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!ready) return;
    const { top = 0 } = panel.current?.getBoundingClientRect() ?? {};
    if (top > innerHeight * 0.6 || top < 0) panel.current?.scrollIntoView({ block: 'start' });
  }, [ready]);
  return panel;
}
