import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { projectFolder } from '../setup/project.mjs';

/**
 * Most that each entry may add to a page, in bytes after minifying and gzip. Half of the core is Socket.IO. The limits
 * stand a little above what was measured, so that growth is a decision and not an accident.
 */
const LIMITS = { index: 27_600, react: 1_000, element: 29_400 };

/** What an entry must not bring along: `react` is the page's own, and the hook is handed a client. */
const FOREIGN = {
  index: [/\/react(-dom)?\//, /src\/(react|element)\.ts$/],
  react: [/node_modules/, /src\/client\.ts$/],
  element: [/\/react(-dom)?\//, /src\/react\.ts$/],
};

/** @typedef {keyof typeof LIMITS} Entry */

/** Bundles each entry of the client as a page would. @type {() => Promise<import('./run-checks.mjs').Found>} */
export async function checkClientSize() {
  const entries = /** @type {Entry[]} */ (Object.keys(LIMITS));
  const bundles = await Promise.all(entries.map(bundle));
  const problems = [...bundles.flatMap(problemsOf), ...(await doubled(entries))];
  const note = bundles.map(({ entry, bytes }) => `${entry} ${(bytes / 1000).toFixed(1)} kB`).join(', ');
  return { code: problems.length === 0 ? 0 : 1, output: problems.join('\n'), note: `${note} (gzip)` };
}

/** @param {Entry} entry */
async function bundle(entry) {
  const { outputFiles, metafile } = await build({ ...OPTIONS, entryPoints: [sourceOf(entry)] });
  const bytes = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
  return { entry, bytes, inputs: Object.keys(metafile.inputs) };
}

/**
 * @param {{ entry: Entry, bytes: number, inputs: string[] }} bundle
 * @returns {string[]}
 */
function problemsOf({ entry, bytes, inputs }) {
  const limit = LIMITS[entry];
  const foreign = inputs.filter((input) => FOREIGN[entry].some((pattern) => pattern.test(input)));
  return [
    ...(bytes > limit ? [`expected ${entry} to be at most ${limit} bytes, got ${bytes}`] : []),
    ...foreign.map((input) => `expected ${entry} to do without ${input}`),
  ];
}

/** A page that uses all entries must get what they share once. @param {Entry[]} entries */
async function doubled(entries) {
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: entries.map(sourceOf),
    splitting: true,
    outdir: path.join(projectFolder, 'never-written'),
  });
  const places = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  return [...new Set(places.filter((place, index) => places.indexOf(place) !== index))].map(
    (place) => `expected ${place} once in a page with all entries, got it in several pieces`,
  );
}

/** @param {Entry} entry */
function sourceOf(entry) {
  return path.join(projectFolder, 'packages/client/src', `${entry}.ts`);
}

/** @type {import('esbuild').BuildOptions & { write: false, metafile: true }} */
const OPTIONS = {
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  // From source, so that the check needs no build; React is the page's.
  conditions: ['spillway-source'],
  external: ['react', 'react-dom'],
  write: false,
  metafile: true,
  logLevel: 'silent',
};
