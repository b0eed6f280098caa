// Figures that several benchmarks take in the same way.

const PARTS = ['api', 'status', 'worker', 'redis'];

/** Microseconds of CPU that each process spent per job, and all of them together. */
export function cpuPerJob({ cpuMs }, jobs) {
  const us = (ms) => (ms === undefined ? undefined : (ms * 1000) / jobs);
  const parts = PARTS.filter((part) => part in cpuMs);
  const sum = parts.reduce((total, part) => total + cpuMs[part], 0);
  return {
    ...Object.fromEntries(parts.map((part) => [`cpu.${part}`, us(cpuMs[part])])),
    'cpu.all': Number.isNaN(sum) ? undefined : us(sum),
  };
}

/** Rows for what `cpuPerJob` measures. */
export function cpuRows(parts) {
  return [
    ...parts.map((part) => ({ key: `cpu.${part}`, title: `CPU of ${part}, us per job`, digits: 0 })),
    { key: 'cpu.all', title: 'CPU of all of them, us per job', digits: 0 },
  ];
}

/** How busy others kept the machine meanwhile: a round with more than some 12 % tells little. */
export const foreignRow = { key: 'foreign', title: 'other programs, % of the machine', digits: 0, ratio: false };

export function foreignPercent({ foreign }) {
  return { foreign: foreign === undefined ? undefined : foreign * 100 };
}
