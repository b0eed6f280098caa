// The command line of `npm run bench`.
import { Problem } from '../say.mjs';

export const NAMES = [
  'submit',
  'drain',
  'latency',
  'live',
  'memory',
  'million',
  'start',
  'batch',
  'spike',
  'fair',
  'estimate',
];

export const USAGE = `npm run bench -- [name...] [options]

  submit    requests per second at 50 connections
  drain     no-op jobs per second through one worker process
  latency   from the submit to the end event at a watching socket, at 200 jobs per second
  live      many watchers of one process: 10,000 events per second, a room of 1,000, 10,000 idle and reconnecting
            connections; and latency
  memory    bytes in Redis per waiting and per completed job
  million   the longest command of each API call, and the time to its reply, at a million waiting jobs
  start     start-up time, idle CPU and memory of the processes
  batch     10,000 jobs as a stream of lines, beside chunks of 100 and single submits
  spike     a burst of submits: other calls meanwhile, memory, and what a depth limit makes of it
  fair      how long the jobs of nine customers wait behind the flood of a tenth, and what groups cost
  estimate  how well a waiting job is told when it starts
  (all of them without a name)

  --quick         a short run that shows that everything works; its figures mean little
  --rounds N      how often each system is measured, in turns (1 to 50)
  --json [FILE]   the result as JSON to FILE, or to the standard output (run npm with --silent then)
  --docs          also write the tables of this run into docs/performance.md
  --help

Everything runs on this machine, against a private Redis. Close other programs first. A missed target does not change
the exit code: 0 when all was measured, 1 when something could not be, 2 for a wrong option.
`;

const FLAGS = new Map([
  ['--quick', 'quick'],
  ['--docs', 'docs'],
  ['--help', 'help'],
  ['-h', 'help'],
]);

/** Reads the arguments. Throws a Problem when one is not understood. */
export function parseOptions(args) {
  const options = { names: [], quick: false, docs: false, help: false, rounds: undefined, json: undefined };
  const rest = args.flatMap(splitAssignment);
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (NAMES.includes(arg)) options.names.push(arg);
    else if (FLAGS.has(arg)) options[FLAGS.get(arg)] = true;
    else if (arg === '--rounds') options.rounds = parseRounds(rest.shift());
    else if (arg === '--json') options.json = isFile(rest[0]) ? rest.shift() : '-';
    else throw new Problem(`Expected ${NAMES.join(', ')} or an option, but got '${arg}'. --help lists all.`, 2);
  }
  if (options.names.length === 0) options.names = [...NAMES];
  return options;
}

/** `--name=value` is `--name value`. */
function splitAssignment(arg) {
  const [, name, value] = /^(--\w+)=(.*)$/.exec(arg) ?? [];
  return name ? [name, value] : [arg];
}

function isFile(arg) {
  return arg !== undefined && !arg.startsWith('--') && !NAMES.includes(arg);
}

function parseRounds(text) {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 50) return rounds;
  throw new Problem(`Expected --rounds with a whole number from 1 to 50, but got '${text ?? ''}'.`, 2);
}
