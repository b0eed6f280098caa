import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type BatchFlags,
  batchFailures,
  cancelBatch,
  getBatch,
  retryBatch,
  submitBatch,
  watchBatch,
} from './commands/batch.ts';
import { cancel, remove, retry } from './commands/control.ts';
import { get } from './commands/get.ts';
import { type ListFlags, list } from './commands/list.ts';
import { log } from './commands/log.ts';
import {
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleFlags,
  schedules,
  setSchedule,
  triggerSchedule,
} from './commands/schedules.ts';
import { type SubmitFlags, submit } from './commands/submit.ts';
import { type DrainFlags, drainQueue, pauseQueue, queues, resumeQueue, workers } from './commands/system.ts';
import { types } from './commands/types.ts';
import { watchToEnd } from './commands/watch.ts';
import { type ExitCode, exitCodeHelp } from './exit-code.ts';
import { parseFileField } from './input.ts';
import { type GlobalOptions, openSession, type Session } from './session.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_URL = 'http://127.0.0.1:3000';
const STATES = ['waiting', 'delayed', 'blocked', 'active', 'completed', 'failed', 'cancelled'];

const JSON_HELP = `With --json, standard output is JSON and nothing else: one document for one thing (submit, get, types TYPE,
cancel, retry, queues pause, queues drain, batch get), one document a line for lists (ls, types, queues, workers,
schedules, batch failures) and for streams:
  watch, submit --watch   {"kind":"state"|"progress"|"log"|"output",…} as it happens, {"kind":"end","job":…} last
  batch watch             {"kind":"batch","batch":…} as it changes, {"kind":"end","batch":…} last
  log                     {"n":0,"line":"…"}
Errors are one document {"error":{"code","message",…}} on standard error.`;

type Run = <A extends unknown[]>(
  act: (session: Session, ...given: A) => Promise<ExitCode>,
) => (...given: A) => Promise<void>;

/** The whole command line. `finish` is told the exit code of the command that ran. */
export function createProgram(terminal: Terminal, finish: (code: ExitCode) => void): Command {
  const program = new Command('spillway')
    .description('Submit jobs to Spillway and watch them live.')
    .version(readVersion())
    .addOption(new Option('--url <address>', 'where Spillway answers').env('SPILLWAY_URL').default(DEFAULT_URL))
    .addOption(new Option('--key <key>', 'API key').env('SPILLWAY_KEY'))
    .option('--json', 'answers for scripts, see below')
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
    .showHelpAfterError('(spillway --help shows what there is)')
    .addHelpText('after', `\n${JSON_HELP}\n\n${exitCodeHelp()}`)
    .exitOverride();

  const run: Run =
    (act) =>
    async (...given) => {
      const session = openSession(terminal, program.opts<GlobalOptions>());
      finish(await act(session, ...given).finally(() => session.client.close()));
    };
  addJobCommands(program, run);
  addBatchCommands(program, run);
  addScheduleCommands(program, run);
  addSystemCommands(program, run);
  return program;
}

function addJobCommands(program: Command, run: Run): void {
  program
    .command('submit')
    .description('submit a job; prints its id')
    .argument('<type>', 'the kind of job, e.g. demo.steps (spillway types lists them)')
    .option('-i, --input <json>', 'the input: JSON, @file, or - for standard input')
    .option(
      '-f, --file <field=path>',
      'upload a file and put its reference there; may be repeated',
      each(parseFileField),
      [],
    )
    .option('-w, --watch', 'watch the job to its end; prints its result')
    .option('--tag <tag>', 'label to find the job by; may be repeated', each(String))
    .option('--delay-ms <n>', 'start after this time', wholeNumber)
    .option('--run-at <time>', 'start at this time, e.g. 2026-12-24T18:00:00Z')
    .option('--priority <n>', '0 runs first, larger numbers later', wholeNumber)
    .option('--attempts <n>', 'how often to try in all', wholeNumber)
    .option('--timeout-ms <n>', 'an attempt that runs longer fails', wholeNumber)
    .option('--idempotency-key <key>', 'submitted again under the same key it is the same job, for a day')
    .action(run((session, type: string, flags: SubmitFlags) => submit(session, type, flags)));
  program
    .command('watch')
    .description('watch a job to its end; prints its result')
    .argument('<id>')
    .action(run(watchToEnd));
  program
    .command('ls')
    .description('list jobs: what runs and waits first, then what ended')
    .addOption(new Option('-s, --state <state>').choices(STATES))
    .option('-t, --type <type>')
    .option('-q, --queue <queue>')
    .option('--tag <tag>')
    .option('--schedule <name>', 'those that this schedule submitted')
    .option('-n, --limit <n>', 'how many at most', wholeNumber, 20)
    .action(run((session, flags: ListFlags) => list(session, flags)));
  program.command('get').description('show one job').argument('<id>').action(run(get));
  program
    .command('log')
    .description("print a job's log")
    .argument('<id>')
    .option('-f, --follow', 'go on until the job has ended')
    .action(run(log));
  program
    .command('cancel')
    .description('cancel a job that has not ended')
    .argument('<id>')
    .option('--reason <text>', 'why; its handler and its watchers are told')
    .action(run((session, id: string, flags: { reason?: string }) => cancel(session, id, flags)));
  program
    .command('retry')
    .description('run a job that failed or was cancelled again')
    .argument('<id>')
    .action(run(retry));
  program.command('rm').description('delete a job that does not run').argument('<id>').action(run(remove));
}

function addBatchCommands(program: Command, run: Run): void {
  const batch = program.command('batch').description('many jobs as one');
  batch
    .command('submit')
    .description('submit a file of lines, each a job as JSON: {"type":…,"input":…}; prints the id of the batch')
    .usage('[options] [type] <file>')
    .argument('<type or file>', 'with a type, each line is the input of a job of this type')
    .argument('[file]', 'e.g. @jobs.ndjson; the @ may be left out')
    .option('-w, --watch', 'watch the batch until its last job has ended')
    .option('--on-complete <type>', 'a job of this type is submitted then')
    .option('--webhook <url>', 'this address is told then')
    .action(
      run((session, first: string, second: string | undefined, flags: BatchFlags) =>
        submitBatch(session, [first, second], flags),
      ),
    );
  batch
    .command('watch')
    .description('watch a batch until its last job has ended')
    .argument('<id>')
    .action(run(watchBatch));
  batch.command('get').description('show how a batch stands').argument('<id>').action(run(getBatch));
  batch
    .command('failures')
    .description('list its failed jobs, newest end first')
    .argument('<id>')
    .option('-n, --limit <n>', 'how many at most', wholeNumber, 20)
    .action(run((session, id: string, flags: { limit: number }) => batchFailures(session, id, flags)));
  batch.command('retry-failed').description('run its failed jobs again').argument('<id>').action(run(retryBatch));
  batch
    .command('cancel')
    .description('cancel all of its jobs that have not ended')
    .argument('<id>')
    .option('--reason <text>', 'why; their handlers and watchers are told')
    .action(run((session, id: string, flags: { reason?: string }) => cancelBatch(session, id, flags)));
}

function addScheduleCommands(program: Command, run: Run): void {
  const command = program
    .command('schedules')
    .alias('schedule')
    .description('list schedules, which submit jobs again and again')
    .action(run((session) => schedules(session)));
  command
    .command('set')
    .alias('put')
    .description('make or replace a schedule; prints its next ticks')
    .argument('<name>')
    .argument('<type>', 'the kind of job, e.g. demo.steps')
    .option('-i, --input <json>', 'the input: JSON, @file, or - for standard input')
    .option('--cron <expression>', "e.g. '0 9 * * 1-5'")
    .option('--timezone <zone>', 'whose clock cron is read by, e.g. Europe/Berlin; UTC by default')
    .option('--every-ms <n>', 'in place of cron', wholeNumber)
    .option('--start-at <time>')
    .option('--end-at <time>')
    .option('--limit <n>', 'so many ticks', wholeNumber)
    .addOption(new Option('--overlap <what>', 'while its last job runs').choices(['skip', 'allow', 'queue-one']))
    .addOption(new Option('--catch-up <which>', 'ticks that were missed').choices(['last', 'none', 'all']))
    .action(
      run((session, name: string, type: string, flags: ScheduleFlags) => setSchedule(session, name, type, flags)),
    );
  command.command('pause').description('submit no more jobs').argument('<name>').action(run(pauseSchedule));
  command.command('resume').description('go on with the next tick').argument('<name>').action(run(resumeSchedule));
  command.command('trigger').description('submit its job now').argument('<name>').action(run(triggerSchedule));
  command.command('rm').description('remove it; its jobs stay').argument('<name>').action(run(removeSchedule));
}

function addSystemCommands(program: Command, run: Run): void {
  program
    .command('types')
    .description('list what can be submitted; one type in full when it is named')
    .argument('[type]')
    .action(run((session, name: string | undefined) => types(session, name)));
  const queueCommand = program
    .command('queues')
    .description('list queues')
    .action(run((session) => queues(session)));
  queueCommand.command('pause').description('start no more of its jobs').argument('<queue>').action(run(pauseQueue));
  queueCommand
    .command('drain')
    .description('cancel what waits in it')
    .argument('<queue>')
    .option('--delayed', 'also what waits for its time')
    .option('--reason <text>', 'why; whoever watches one of the jobs is told')
    .action(run((session, name: string, flags: DrainFlags) => drainQueue(session, name, flags)));
  queueCommand.command('resume').description('start its jobs again').argument('<queue>').action(run(resumeQueue));
  program
    .command('workers')
    .description('list the workers that are alive')
    .action(run((session) => workers(session)));
}

/** From the package itself, which lies one folder up from source and build alike. */
function readVersion(): string {
  const about = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(about) as { version: string }).version;
}

/** Parser of an option that may be given several times. */
function each<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  return (text, before = []) => [...before, parse(text)];
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
