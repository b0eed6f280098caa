import { requireNode } from './node-version.mjs';

requireNode();
void import('./compose/test-stack.mjs').then(({ testStack }) => testStack());
