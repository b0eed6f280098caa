// What the figures were measured on.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, totalmem } from 'node:os';

const PACKAGES = ['bullmq', 'ioredis', 'fastify', 'socket.io', 'autocannon'];

/** Machine and versions. `redis` is "redis 7.0.15" or "valkey 8.1.0", as the server calls itself. */
export function describeMachine(redis) {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${platform()} ${arch()}`,
    node: process.version.slice(1),
    redis,
    packages: { spillway: own.version, ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])) },
  };
}

export function machineLine({ cpu, cores, memoryGb, system, node, redis, packages }) {
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}; node ${node}, ${redis}, ${versions.join(', ')}`;
}

function versionOf(name) {
  const resolved = createRequire(import.meta.url).resolve(name);
  // Not every package exports its package.json: take it from the folder that the module was found in.
  const folder = resolved.slice(0, resolved.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  return JSON.parse(readFileSync(`${folder}package.json`, 'utf8')).version;
}
