import { requireNode } from './node-version.mjs';

requireNode();
void import('./scaling/main.mjs').then(({ simulateScaling }) => simulateScaling());
