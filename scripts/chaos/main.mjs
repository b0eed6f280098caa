import { stopSignal } from '../process/stop-signal.mjs';
import { report } from '../say.mjs';
import { prepare } from '../setup/prepare.mjs';
import { Running } from '../start/running.mjs';
import { parseOptions, USAGE } from './options.mjs';

/**
 * `npm run chaos`: see --help, and docs/reliability.md for what is promised. Owns the process and its exit code, and
 * leaves no process behind however it ends.
 * @param {string[]} argv
 */
export async function chaos(argv) {
  const running = new Running();
  const kill = () => running.kill();
  const stop = stopSignal({ onSecond: () => process.exit(1) });
  process.once('exit', kill); // whatever goes wrong here, nothing is left behind
  try {
    const options = parseOptions(argv);
    if (options.help) return void process.stdout.write(USAGE);
    // What the setup has to say must not stand in front of the JSON.
    if (options.json) console.log = console.error;
    await prepare(stop);
    // What it imports may just have been built.
    const { runChaos } = await import('./run.mjs');
    process.exitCode = (await runChaos(options, running, stop)) ? 0 : 1;
  } catch (error) {
    process.exitCode = stop.aborted ? 130 : report(error);
  } finally {
    await running.stop();
    // A connection of some library must not keep a run that is over from ending.
    process.exit();
  }
}
