// Puts measured tables into docs/performance.md, between the page's own marks; the text around them stays.
import { readFileSync, writeFileSync } from 'node:fs';
import { machineLine } from './machine.mjs';
import { markdownTable } from './table.mjs';

const PAGE = new URL('../../docs/performance.md', import.meta.url);

/** Writes each scenario's table between `<!-- bench:<id> -->` and `<!-- /bench:<id> -->`. Throws when a mark is missing. */
export function writePage(report) {
  const page = report.scenarios.reduce(
    (text, scenario) => fillBlock(text, scenario.id, blockOf(report, scenario)),
    readFileSync(PAGE, 'utf8'),
  );
  writeFileSync(PAGE, page);
}

function blockOf(report, scenario) {
  const run = `${scenario.title}. Rounds: ${report.rounds}; ${report.startedAt.slice(0, 10)}.`;
  return `${run}\n\n${markdownTable(scenario)}\n\n<sub>${machineLine(report.machine)}</sub>`;
}

function fillBlock(text, id, block) {
  const [open, close] = [`<!-- bench:${id} -->`, `<!-- /bench:${id} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  if (from < 0 || to < from)
    throw new Error(`docs/performance.md has no place for '${id}': expected ${open} … ${close}`);
  return `${text.slice(0, from + open.length)}\n${block}\n${text.slice(to)}`;
}
