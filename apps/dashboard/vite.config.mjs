import { preact } from '@preact/preset-vite';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
  // Relative, so that the page also works where a proxy puts Spillway under a path.
  base: './',
  // Workspace packages come from source: the page needs no build of theirs.
  resolve: { conditions: ['spillway-source', ...defaultClientConditions] },
  build: {
    // Beside dist/types, which `tsc -b` owns: emptying this folder must not make it think that it has to start over.
    outDir: 'dist/site',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:3000', '/socket.io': { target: 'http://127.0.0.1:3000', ws: true } } },
});
