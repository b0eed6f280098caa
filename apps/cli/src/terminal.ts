import { styleText } from 'node:util';
import type { JobState } from '@spillway/client';

/** The process as commands see it. */
export interface Terminal {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  env: Record<string, string | undefined>;
  on(signal: 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGINT', listener: () => void): unknown;
}

type Style = Parameters<typeof styleText>[0];

const STATE_STYLE: Record<JobState, Style> = {
  waiting: 'dim',
  delayed: 'dim',
  blocked: 'dim',
  active: 'cyan',
  completed: 'green',
  failed: 'red',
  cancelled: 'yellow',
};

export type Paint = (style: Style, text: string) => string;

/** Colours for a stream: none where it is no terminal or NO_COLOR asks for none (https://no-color.org). */
export function paintFor(stream: { isTTY?: boolean }, env: Terminal['env']): Paint {
  const coloured = Boolean(stream.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb';
  return (style, text) => (coloured ? styleText(style, text) : text);
}

export function paintState(paint: Paint, state: JobState): string {
  return paint(STATE_STYLE[state], state);
}

/** Text from elsewhere, made harmless: a job's log must not move the cursor or change the terminal's title. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
