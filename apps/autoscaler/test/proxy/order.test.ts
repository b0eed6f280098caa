import { orderOf } from '../../src/proxy/order.ts';

const ID = 'a1b2c3d4e5f6';
const LONG_ID = 'a1b2'.repeat(16);

test.each([
  ['GET', '/readyz', { kind: 'ready' }],
  ['GET', '/containers/json', { kind: 'list' }],
  ['GET', '/containers/json?all=1&filters=%7B%7D', { kind: 'list' }],
  ['GET', `/containers/${ID}/json`, { kind: 'inspect', id: ID }],
  ['POST', `/containers/${LONG_ID}/start`, { kind: 'start', id: LONG_ID }],
  ['POST', `/containers/${ID}/stop`, { kind: 'stop', id: ID }],
  ['DELETE', `/containers/${ID}`, { kind: 'remove', id: ID }],
  ['POST', '/containers/create?name=spillway-worker-2', { kind: 'create', name: 'spillway-worker-2' }],
])('%s %s is let through', (method, url, order) => {
  expect(orderOf(method, url)).toEqual(order);
});

test.each([
  ['GET', '/'],
  ['GET', '/images/json'],
  ['GET', '/info'],
  ['GET', '/volumes'],
  ['GET', `/v1.41/containers/${ID}/json`],
  ['GET', `/containers/${ID}/logs`],
  ['GET', `/containers/${ID}/archive?path=/`],
  ['GET', '/containers/spillway-redis-1/json'],
  ['GET', `/containers/${ID}/../${ID}/json`],
  ['GET', `/containers/${ID}/json?size=1`],
  ['HEAD', '/containers/json'],
  ['PUT', `/containers/${ID}/archive?path=/`],
  ['POST', `/containers/${ID}/exec`],
  ['POST', `/containers/${ID}/kill`],
  ['POST', `/containers/${ID}/update`],
  ['POST', `/containers/${ID}/start?detachKeys=x`],
  ['POST', `/containers/${ID}/stop?t=0`],
  ['POST', `/containers/${ID}%2f..%2f..%2fexec/start`],
  ['POST', '/containers/prune'],
  ['POST', '/containers/create'],
  ['POST', '/containers/create?name=a&platform=x'],
  ['POST', '/containers/create?name=..%2fx'],
  ['POST', '/images/create?fromImage=x'],
  ['POST', '/build'],
  ['DELETE', `/containers/${ID}?force=1`],
  ['DELETE', `/containers/${ID}?v=1`],
  ['DELETE', '/containers/spillway-redis-1'],
])('%s %s is not', (method, url) => {
  expect(orderOf(method, url)).toBeUndefined();
});
