import type { LogLine } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import { follow } from '../follow.ts';
import type { Session } from '../session.ts';
import { printable } from '../terminal.ts';

/** Prints a job's log; with `follow`, goes on until the job has ended. Says nothing of how it ended. */
export async function log(session: Session, id: string, flags: { follow?: boolean }): Promise<ExitCode> {
  return flags.follow ? followLog(session, id) : wholeLog(session, id);
}

async function wholeLog(session: Session, id: string): Promise<ExitCode> {
  for (let after = 0; ; ) {
    const { lines, next } = await session.client.log(id, { after });
    printLines(session, lines);
    if (lines.length === 0 || next <= after) return EXIT_CODES.ok.code;
    after = next;
  }
}

async function followLog(session: Session, id: string): Promise<ExitCode> {
  let told = 0;
  const followed = await follow(session, id, {
    show({ log: lines, cursor }) {
      printLines(
        session,
        lines.filter(({ n }) => n >= told),
      );
      told = cursor.log;
    },
    note: session.note,
  });
  return 'interrupted' in followed ? EXIT_CODES.interrupted.code : EXIT_CODES.ok.code;
}

function printLines(session: Session, lines: readonly LogLine[]): void {
  for (const line of lines) {
    if (session.json) session.printJson(line);
    else session.print(printable(line.line));
  }
}
