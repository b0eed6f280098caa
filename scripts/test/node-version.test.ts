import { isSupportedNode } from '../node-version.mjs';

test.each([
  ['v18.20.4', false],
  ['v20.18.9', false],
  ['v20.19.0', true],
  ['v20.20.2', true],
  ['v22.0.0', true],
  ['v24.21.0', true],
])('Node %s is supported: %s', (version, supported) => {
  expect(isSupportedNode(version)).toBe(supported);
});
