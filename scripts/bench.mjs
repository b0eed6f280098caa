import { requireNode } from './node-version.mjs';

requireNode();
void import('./bench/main.mjs').then(({ bench }) => bench(process.argv.slice(2)));
