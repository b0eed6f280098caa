import { build } from 'esbuild';

// As an ES module: of a CommonJS one Node looks for the names of its exports first, which took as long as the rest.
await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/bundle.js',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  // ioredis is CommonJS and asks for Node's own modules by `require`. `var`, as jest gives a module one of that name.
  banner: {
    js: `import { createRequire as requireFor } from 'node:module';\nvar require = requireFor(import.meta.url);`,
  },
  logLevel: 'error',
});
