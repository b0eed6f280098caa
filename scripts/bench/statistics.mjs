// The few statistics that the benchmarks need.

export function median(values) {
  return percentile(values, 0.5);
}

/** The value below which the given share (0..1) of the values lies, interpolated; undefined for no values. */
export function percentile(values, share) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  // Equal ends also stand for two that never came, between which there is nothing to interpolate.
  if (sorted[low] === sorted[high] || low === high) return sorted[low];
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** Median, smallest and largest of what was measured; undefined when nothing was. */
export function spread(values) {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return undefined;
  return { median: median(known), min: Math.min(...known), max: Math.max(...known) };
}

/**
 * Median of the ratios of the rounds. The machine's speed changes from one minute to the next, so a value is compared
 * only with the one that was measured beside it.
 */
export function ratioOfRounds(values, baseline) {
  const ratios = values.flatMap((value, round) => {
    const base = baseline[round];
    return value === undefined || !base ? [] : [value / base];
  });
  return spread(ratios);
}
