// The whole of `npm run bench`: see --help, and docs/performance.md for what the figures mean.
import { Problem } from '../say.mjs';
import { prepare } from '../setup/prepare.mjs';
import { parseOptions, USAGE } from './options.mjs';

/** Sets the exit code, and leaves no process or file behind however it ends. */
export async function bench(args) {
  let stage;
  const endAtOnce = (code) => {
    stage?.kill();
    process.exit(code);
  };
  const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, code] of Object.entries(exitCodes)) process.once(signal, () => endAtOnce(code));
  try {
    const options = parseOptions(args);
    if (options.help) return void process.stdout.write(USAGE);
    // What the setup has to say must not stand in front of the JSON.
    if (options.json === '-') console.log = console.error;
    await prepare();
    // What it imports may just have been installed.
    const { runBenches } = await import('./run.mjs');
    await runBenches(options, (opened) => {
      stage = opened;
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Problem ? error.message : error.stack}\n`);
    endAtOnce(error.exitCode ?? 1);
  }
}
