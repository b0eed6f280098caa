import { requireNode } from './node-version.mjs';

requireNode();
void import('./checks/run-checks.mjs').then(({ runChecks }) => runChecks());
