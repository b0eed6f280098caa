import { requireNode } from './node-version.mjs';

requireNode();
void import('./chaos/main.mjs').then(({ chaos }) => chaos(process.argv.slice(2)));
