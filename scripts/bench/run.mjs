// Runs the chosen benchmarks and reports.
import { appendFileSync, writeFileSync } from 'node:fs';
import { findRedisProgram } from '../redis/find-program.mjs';
import { batch } from './benches/batch.mjs';
import { drain } from './benches/drain.mjs';
import { estimate } from './benches/estimate.mjs';
import { fair } from './benches/fair.mjs';
import { latency } from './benches/latency.mjs';
import { live } from './benches/live.mjs';
import { memory } from './benches/memory.mjs';
import { million } from './benches/million.mjs';
import { spike } from './benches/spike.mjs';
import { start } from './benches/start.mjs';
import { submit } from './benches/submit.mjs';
import { describeMachine, machineLine } from './machine.mjs';
import { writePage } from './page.mjs';
import { measureRounds } from './rounds.mjs';
import { summarize } from './summary.mjs';
import { textTable } from './table.mjs';

const BENCHES = [submit, drain, latency, live, memory, million, start, batch, spike, fair, estimate];
const ROUNDS = { quick: 1, full: 5 };
/** Jobs that one worker process runs at a time, the same in every system. */
const CONCURRENCY = 50;

/** Measures, prints, writes. `onStage` hears of each stage that opens, for whoever has to end it early. */
export async function runBenches(options, onStage) {
  const startedAt = new Date().toISOString();
  const jsonToStdout = options.json === '-';
  const print = (text) => (jsonToStdout ? process.stderr : process.stdout).write(`${text}\n`);
  // Half an hour later would be a bad time to learn that the file cannot be written.
  if (options.json && !jsonToStdout) appendFileSync(options.json, '');
  const rounds = options.rounds ?? (options.quick ? ROUNDS.quick : ROUNDS.full);
  let redis = 'no redis';
  const plan = {
    program: await findRedisProgram(),
    rounds,
    concurrency: CONCURRENCY,
    onStage,
    onRedis: ({ version }) => {
      redis = version;
    },
    say: (line) => process.stderr.write(`${line}\n`),
  };

  const scenarios = [];
  const chosen = BENCHES.filter(({ name }) => options.names.includes(name));
  for (const scenario of scenariosOf(chosen, { quick: options.quick, concurrency: CONCURRENCY, say: plan.say })) {
    scenarios.push(summarize(scenario, await measureRounds(scenario, plan)));
    print(`\n${textTable(scenarios.at(-1))}\n`);
  }

  const report = { startedAt, quick: options.quick, rounds, machine: describeMachine(redis), scenarios };
  print(`rounds: ${rounds}; a cell is median [smallest..largest], a ratio the median of the rounds' ratios`);
  print(machineLine(report.machine));
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (jsonToStdout) process.stdout.write(json);
  else if (options.json) writeFileSync(options.json, json);
  if (options.docs) writePage(report);
}

/** Each scenario once: one may belong to two benchmarks. */
function scenariosOf(benches, context) {
  const all = benches.flatMap((bench) => bench.scenarios(context));
  return [...new Map(all.map((scenario) => [scenario.id, scenario])).values()];
}
