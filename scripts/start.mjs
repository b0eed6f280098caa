import { requireNode } from './node-version.mjs';

requireNode();
void import('./start/start.mjs').then(({ start }) => start(process.argv.slice(2)));
