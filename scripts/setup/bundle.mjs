// node bundle.mjs: puts into one file each what a process would otherwise open as hundreds. Needs what `tsc -b` builds.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { projectFolder } from './project.mjs';

/** @typedef {{ from: string, to: string, for: 'node' | 'any', external?: string[] }} Bundle */

/** @type {Bundle[][]} those of a row need the rows before it */
const BUNDLES = [
  [
    { from: 'packages/schema/src/index.ts', to: 'packages/schema/dist/bundle.js', for: 'any' },
    { from: 'packages/bullmq/src/index.ts', to: 'packages/bullmq/dist/bundle.js', for: 'node' },
    {
      from: 'packages/runtime/src/index.ts',
      to: 'packages/runtime/dist/index.js',
      for: 'node',
      external: ['@spillway/*'],
    },
    { from: 'packages/files/src/index.ts', to: 'packages/files/dist/index.js', for: 'node', external: ['@spillway/*'] },
  ],
  [
    // The pages of the reference lie beside the code of their package, which finds them by its own place.
    {
      from: 'apps/api/src/main.ts',
      to: 'apps/api/dist/main.js',
      for: 'node',
      external: ['@fastify/swagger-ui', '@fastify/static'],
    },
    { from: 'apps/status/src/main.ts', to: 'apps/status/dist/main.js', for: 'node' },
    { from: 'apps/cli/src/main.ts', to: 'apps/cli/dist/main.js', for: 'node' },
  ],
];

/** What is CommonJS asks for Node's own modules by `require`, which an ES module lacks. `var`, as jest gives a module one of that name. */
const REQUIRE = "var require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";

for (const row of BUNDLES) await Promise.all(row.map(bundle));

/** @param {Bundle} plan */
async function bundle(plan) {
  const out = path.join(projectFolder, path.dirname(plan.to));
  rmSync(path.join(out, 'parts'), { recursive: true, force: true });
  await build({
    entryPoints: { [path.basename(plan.to, '.js')]: path.join(projectFolder, plan.from) },
    outdir: out,
    bundle: true,
    // As an ES module: of a CommonJS one Node looks for the names of its exports first, which took as long as the rest.
    format: 'esm',
    ...(plan.for === 'node'
      ? { platform: 'node', target: 'node20', mainFields: ['module', 'main'], banner: { js: REQUIRE } }
      : { platform: 'neutral', target: 'es2022' }),
    // What is imported when it is needed stays a file of its own, opened then.
    splitting: true,
    chunkNames: 'parts/[name]-[hash]',
    external: plan.external,
    logLevel: 'warning',
  });
}
