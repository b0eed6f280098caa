import { requireNode } from './node-version.mjs';

requireNode();
void import('./key/print-key.mjs').then(({ printKey }) => printKey(process.argv.slice(2)));
