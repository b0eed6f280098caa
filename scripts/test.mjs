import { requireNode } from './node-version.mjs';

requireNode();
void import('./testing/run-tests.mjs').then(({ runTests }) => runTests(process.argv.slice(2)));
