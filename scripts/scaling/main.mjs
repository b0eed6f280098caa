import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { report, say } from '../say.mjs';
import { prepare } from '../setup/prepare.mjs';
import { projectFolder } from '../setup/project.mjs';
import { compare, HOUSE, toTable } from './compare.mjs';
import { plot } from './plot.mjs';
import { loadByMinute, spikyDay } from './trace.mjs';

/** The day that docs/scaling.md shows. */
const DAY = { seed: 20, hours: 24, bursts: 16 };
const PICTURE = 'docs/images/scaling.svg';

/** `npm run simulate`: prints the comparison and draws it. The same every time. */
export async function simulateScaling() {
  try {
    await prepare();
    const [{ toScaling }, { decide, remember }] = await Promise.all([
      import('@spillway/queue/rates'),
      import('../../apps/autoscaler/dist/decide.js'),
    ]);
    const arrivals = spikyDay(DAY);
    const rows = compare(arrivals, { toScaling, decide, remember });
    const load = loadByMinute(arrivals).map((slots) => slots / HOUSE.slotsPerWorker);
    const file = path.join(projectFolder, PICTURE);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, plot({ arrivals, load, rows }));
    console.log(`${arrivals.length} jobs in a day of seed ${DAY.seed}\n\n${toTable(rows)}`);
    say(`drawn in ${PICTURE}`);
  } catch (error) {
    process.exitCode = report(error);
  }
}
