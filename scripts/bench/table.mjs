// Draws summaries: as aligned text for a terminal, as Markdown for docs/performance.md.

/** Aligned plain text. */
export function textTable(summary) {
  const cells = cellsOf(summary);
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const draw = (line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('   ')
      .trimEnd();
  const [head, ...body] = cells.map(draw);
  return [summary.title, '', head, widths.map((width) => '-'.repeat(width)).join('   '), ...body].join('\n');
}

/** A Markdown table, without the title. */
export function markdownTable(summary) {
  const [head, ...body] = cellsOf(summary);
  const draw = (line) => `| ${line.join(' | ')} |`;
  return [draw(head), draw(head.map(() => '---')), ...body.map(draw)].join('\n');
}

/** Header and rows as text: the row's title, each system with its ratio to the first, the target where there is any. */
function cellsOf({ systems, baseline, rows }) {
  const others = systems.slice(1);
  const judged = rows.some(({ target }) => target);
  const head = ['', baseline, ...others.flatMap((name) => [name, `to ${baseline}`]), ...(judged ? ['target'] : [])];
  const body = rows.map((row) => [
    row.title,
    figure(row.systems[baseline], row.digits),
    ...others.flatMap((name) => [figure(row.systems[name], row.digits), ratio(row.ratios[name])]),
    ...(judged ? [verdict(row.target)] : []),
  ]);
  return [head, ...body];
}

/** `median [smallest..largest]` */
function figure(spread, digits) {
  if (!spread) return 'n/a';
  const text = (value) => (value === Number.POSITIVE_INFINITY ? 'never' : format(value, digits));
  const [middle, low, high] = [spread.median, spread.min, spread.max].map(text);
  return low === high ? middle : `${middle} [${low}..${high}]`;
}

function format(value, digits) {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function ratio(spread) {
  // Compared with what never came there is no number to tell.
  if (!spread || spread.max === 0) return '';
  const [middle, low, high] = [spread.median, spread.min, spread.max].map((value) => value.toFixed(2));
  return low === high ? `${middle}x` : `${middle}x [${low}..${high}]`;
}

function verdict(target) {
  if (!target) return '';
  return `${target.text} ${target.met ? 'met' : 'MISSED'}`;
}
