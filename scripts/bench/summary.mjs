// From samples to figures: a spread per system and row, ratios by round, and whether the targets are met.
import { ratioOfRounds, spread } from './statistics.mjs';

/** The first system of a scenario is the baseline, the last one is ours: the targets are for it. */
export function summarize(scenario, samples) {
  const names = scenario.systems.map(({ name }) => name);
  const [baseline] = names;
  const ours = names.at(-1);
  const rows = scenario.rows.map((row) => {
    const values = Object.fromEntries(names.map((name) => [name, column(samples, name, row.key)]));
    const compared = row.ratio === false ? [] : names.slice(1);
    const summary = {
      key: row.key,
      title: row.title,
      digits: row.digits,
      systems: mapNames(names, (name) => spread(values[name])),
      ratios: mapNames(compared, (name) => ratioOfRounds(values[name], values[baseline])),
    };
    const target = scenario.targets.find(({ key }) => key === row.key);
    return target ? { ...summary, target: judge(target, summary, ours) } : summary;
  });
  return { id: scenario.id, title: scenario.title, baseline, systems: names, rows, samples };
}

function column(samples, name, key) {
  return samples.filter(({ system }) => system === name).map(({ values }) => values[key]);
}

function judge(target, { ratios, systems }, ours) {
  const ratio = ratios[ours]?.median;
  if (target.ratioMin !== undefined) return { text: `>= ${target.ratioMin}x`, met: ratio >= target.ratioMin };
  if (target.ratioMax !== undefined) return { text: `<= ${target.ratioMax}x`, met: ratio <= target.ratioMax };
  // A limit for the value itself holds for the worst round, not for the median.
  return { text: `<= ${target.valueMax}`, met: systems[ours]?.max <= target.valueMax };
}

function mapNames(names, make) {
  return Object.fromEntries(names.map((name) => [name, make(name)]));
}
