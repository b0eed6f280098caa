import { TARGET_WAIT_MS } from './compare.mjs';

/** @typedef {import('./compare.mjs').Row} Row */
/** @typedef {{ top: number, height: number, toY: (value: number) => number }} Panel */

const WIDTH = 860;
const LEFT = 58;
const RIGHT = 24;
const DAY_S = 86_400;
/** Each point of the waits is a stretch of this length. */
const STRETCH_S = 600;
/** Waits are shown from a tenth of a second to some hours. */
const WAIT_S = { least: 0.1, most: 20_000 };

const STYLE = `
    text { font: 12px system-ui, sans-serif; fill: #57606a }
    .title { font-weight: 600; fill: #1f2328 }
    .page { fill: #ffffff }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .target { stroke: #57606a; stroke-width: 1; stroke-dasharray: 4 4 }
    .line { fill: none; stroke-width: 1.6; stroke-linejoin: round }
    .load { stroke: none; fill: #8c959f; fill-opacity: 0.35 }
    .follow { stroke: #0969da } .peak { stroke: #1a7f37 } .p95 { stroke: #9a6700 } .mean { stroke: #cf222e }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 } .title { fill: #f0f6fc } .page { fill: #0d1117 } .grid { stroke: #30363d }
      .target { stroke: #9198a1 } .load { fill: #6e7681 }
      .follow { stroke: #58a6ff } .peak { stroke: #3fb950 } .p95 { stroke: #d29922 } .mean { stroke: #f85149 }
    }`;

/** Which rows are drawn, and in which colour. @type {[name: string, style: string][]} */
const DRAWN = [
  ['fixed, mean load', 'mean'],
  ['fixed, p95 of the load', 'p95'],
  ['fixed, peak load', 'peak'],
  ['autoscaler', 'follow'],
];

/**
 * Workers and waits over the day, as an SVG that follows the reader's light or dark. Pure.
 * @param {{ arrivals: readonly import('./trace.mjs').Arrival[], load: number[], rows: Row[] }} found
 */
export function plot({ arrivals, load, rows }) {
  const drawn = DRAWN.flatMap(([name, style]) =>
    rows.filter((row) => row.name === name).map((row) => ({ ...row, style })),
  );
  const most = Math.ceil(
    Math.max(...load, ...drawn.flatMap(({ outcome }) => outcome.fleet.map(({ workers }) => workers))) + 1,
  );
  const workers = panel(56, 220, (value) => value / most);
  const waits = panel(340, 220, waitShare);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} 600" role="img" aria-label="Workers and waits of a spiky day, with the autoscaler and with fixed fleets">
  <style>${STYLE}
  </style>
  <rect class="page" width="${WIDTH}" height="600"/>
${legend(drawn)}
  <text class="title" x="${LEFT}" y="46">Workers</text>
${[0, 5, 10, 15, 20, 25, 30]
  .filter((value) => value <= most)
  .map((value) => rule(workers, value, `${value}`))
  .join('\n')}
  <path class="load" d="${area(load, workers)}"/>
${drawn.map(({ style, outcome }) => `  <path class="line ${style}" d="${steps(outcome.fleet, workers)}"/>`).join('\n')}
  <text class="title" x="${LEFT}" y="330">Longest wait within ten minutes</text>
${[0.1, 1, 10, 100, 1000, 10_000].map((value) => rule(waits, value, `${value} s`)).join('\n')}
  <path class="target" d="M${LEFT} ${waits.toY(TARGET_WAIT_MS / 1000)}H${WIDTH - RIGHT}"/>
${drawn.map(({ style, outcome }) => `  <path class="line ${style}" d="${curve(longest(arrivals, outcome.waitS), waits)}"/>`).join('\n')}
${[0, 4, 8, 12, 16, 20, 24].map((hour) => `  <text x="${toX(hour * 3600)}" y="580" text-anchor="middle">${hour}:00</text>`).join('\n')}
</svg>
`;
}

/** @param {number} top @param {number} height @param {(value: number) => number} toShare @returns {Panel} */
function panel(top, height, toShare) {
  return { top, height, toY: (value) => round(top + height * (1 - toShare(value))) };
}

/** On a logarithmic scale. @param {number} waitS */
function waitShare(waitS) {
  const within = Math.min(WAIT_S.most, Math.max(WAIT_S.least, waitS));
  return Math.log(within / WAIT_S.least) / Math.log(WAIT_S.most / WAIT_S.least);
}

/** @param {number} atS */
function toX(atS) {
  return round(LEFT + ((WIDTH - LEFT - RIGHT) * Math.min(atS, DAY_S)) / DAY_S);
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {{ name: string, style: string }[]} drawn */
function legend(drawn) {
  const entries = drawn.map(({ name, style }, index) => {
    const x = LEFT + index * 172;
    return `  <path class="line ${style}" d="M${x} 16h24"/><text x="${x + 30}" y="20">${name}</text>`;
  });
  const x = LEFT + drawn.length * 172 - 70;
  return [
    ...entries,
    `  <rect class="load" x="${x}" y="10" width="24" height="12"/><text x="${x + 30}" y="20">load</text>`,
  ].join('\n');
}

/** @param {Panel} panel @param {number} value @param {string} label */
function rule({ toY }, value, label) {
  const y = toY(value);
  return `  <path class="grid" d="M${LEFT} ${y}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${label}</text>`;
}

/** @param {number[]} minutes @param {Panel} panel */
function area(minutes, { toY }) {
  const points = minutes.map((value, minute) => `L${toX(minute * 60)} ${toY(value)}`).join('');
  return `M${LEFT} ${toY(0)}${points}L${toX(minutes.length * 60)} ${toY(0)}Z`;
}

/** @param {import('./simulation.mjs').Outcome['fleet']} fleet @param {Panel} panel */
function steps(fleet, { toY }) {
  // What comes after the day is the clearing away.
  const changes = fleet.filter(({ atS }) => atS < DAY_S);
  const path = changes.map(
    ({ atS, workers }, index) =>
      `${index === 0 ? 'M' : 'H'}${toX(atS)}${index === 0 ? ` ${toY(workers)}` : `V${toY(workers)}`}`,
  );
  return `${path.join('')}H${toX(DAY_S)}`;
}

/** @param {number[]} stretches @param {Panel} panel */
function curve(stretches, { toY }) {
  return stretches
    .map((waitS, index) => `${index === 0 ? 'M' : 'L'}${toX((index + 0.5) * STRETCH_S)} ${toY(waitS)}`)
    .join('');
}

/**
 * @param {readonly import('./trace.mjs').Arrival[]} arrivals
 * @param {Float64Array} waitS
 */
function longest(arrivals, waitS) {
  /** @type {number[]} */
  const stretches = [];
  for (const [index, { atS }] of arrivals.entries()) {
    const stretch = Math.floor(atS / STRETCH_S);
    stretches[stretch] = Math.max(stretches[stretch] ?? 0, waitS[index]);
  }
  return Array.from(stretches, (value) => value ?? 0);
}
