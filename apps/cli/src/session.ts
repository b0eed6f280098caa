import { type Client, createClient } from '@spillway/client';
import { type Paint, paintFor, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface GlobalOptions {
  url: string;
  key?: string;
  json?: boolean;
}

/** What every command works with. */
export interface Session {
  client: Client;
  terminal: Terminal;
  /** Answers are for scripts: JSON on standard output and nothing else there. */
  json: boolean;
  /** Writes one line to standard output. */
  print(line: string): void;
  /** Writes one JSON document on one line to standard output. */
  printJson(document: unknown): void;
  /** Writes a line for people to standard error. */
  note(line: string): void;
  paint: Paint;
}

export function openSession(terminal: Terminal, { url, key, json = false }: GlobalOptions): Session {
  const print = (line: string) => void terminal.stdout.write(`${line}\n`);
  return {
    client: connect(url, key),
    terminal,
    json,
    print,
    printJson: (document) => print(JSON.stringify(document)),
    note: (line) => void terminal.stderr.write(`${line}\n`),
    paint: paintFor(terminal.stdout, terminal.env),
  };
}

function connect(baseUrl: string, key: string | undefined): Client {
  try {
    return createClient({ baseUrl, key });
  } catch (cause) {
    throw new UsageError(`--url: expected an address such as http://127.0.0.1:3000, got ${baseUrl}`, { cause });
  }
}
