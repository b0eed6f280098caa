import type { Job } from '@spillway/client';
import Table from 'cli-table3';
import type { Session } from './session.ts';
import { printable } from './terminal.ts';

/** Columns with two spaces between, no lines: easy on the eye and on `awk`. */
export function table(session: Session, head: string[], rows: string[][]): string {
  const chars = { middle: '  ' };
  const none = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'];
  const lines = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
  const grid = new Table({
    chars: { ...Object.fromEntries([...none, ...lines].map((side) => [side, ''])), ...chars },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: head.map((title) => session.paint('dim', title.toUpperCase())),
  });
  grid.push(...rows);
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const UNITS: [name: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** A length of time in its largest unit, e.g. `3m`; tenths of a second below ten. */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const [name, unit] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1_000];
  return `${Math.floor(ms / unit)}${name}`;
}

/** How long the latest attempt took, or runs already. */
export function runtime({ startedAt, finishedAt }: Job, nowMs: number): string {
  if (!startedAt) return '';
  return duration((finishedAt ? Date.parse(finishedAt) : nowMs) - Date.parse(startedAt));
}

/** Text of somebody else's on one line of at most `length` characters. */
export function oneLine(text: string, length: number): string {
  const line = printable(text).replace(/\s+/g, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
