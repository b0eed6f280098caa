// CPU time and memory of processes, read from /proc. Elsewhere than on Linux the figures are undefined and print as "n/a".
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** The kernel counts in ticks of 10 ms (USER_HZ is 100 on every architecture that Node supports). */
const MS_PER_TICK = 10;

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, or the process has ended
  }
}

/** CPU that a process has used since it started, user and system, all threads, in ms. */
export function cpuMs(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (!stat) return undefined;
  // The second field is the name in brackets and may hold blanks: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Resident memory of a process in MB. */
export function residentMb(pid) {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kb && Number(kb) / 1024;
}

/** CPU that the whole machine has used since boot, including what other guests took from it (steal), in ms. */
function machineMs() {
  const line = /^cpu +(.*)$/m.exec(read('/proc/stat') ?? '')?.[1];
  if (!line) return undefined;
  const [user, nice, system, , , irq, softirq, steal] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq + steal) * MS_PER_TICK;
}

/**
 * Starts to measure. `parts` maps a name to a process id; `own` lists every process that belongs to the benchmark, so that
 * the rest is known: `foreign` is the share of the machine, 0..1, that others used meanwhile.
 */
export function openMeter(parts, own) {
  const all = [...new Set([...own, process.pid])];
  const before = { at: performance.now(), machine: machineMs(), own: all.map(cpuMs), parts: mapValues(parts, cpuMs) };
  return {
    read() {
      const elapsedMs = performance.now() - before.at;
      const ownMs = all.reduce((sum, pid, index) => sum + ((cpuMs(pid) ?? 0) - (before.own[index] ?? 0)), 0);
      const busyMs = before.machine === undefined ? undefined : machineMs() - before.machine;
      return {
        elapsedMs,
        cpuMs: mapValues(parts, (pid, name) => minus(cpuMs(pid), before.parts[name])),
        foreign: busyMs === undefined ? undefined : Math.max(0, busyMs - ownMs) / (elapsedMs * cpus().length),
      };
    },
  };
}

function minus(later, earlier) {
  return later === undefined || earlier === undefined ? undefined : later - earlier;
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));
}
