// node bundle.mjs <entry>: makes dist/bundle.js of an entry of the package that it is called in, and of all that it imports.
import { build } from 'esbuild';

const [entry] = process.argv.slice(2);
if (!entry) throw new Error('expected the path of an entry, got none');

// As an ES module: of a CommonJS one Node looks for the names of its exports first, which took as long as the rest.
await build({
  entryPoints: [entry],
  outfile: 'dist/bundle.js',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  // What is CommonJS asks for Node's own modules by `require`. `var`, as jest gives a module one of that name.
  banner: {
    js: `import { createRequire as requireFor } from 'node:module';\nvar require = requireFor(import.meta.url);`,
  },
  logLevel: 'error',
});
