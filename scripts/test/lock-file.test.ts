import { lockProblems } from '../checks/lock-file.mjs';

test('a lock that lacks the package of another platform is incomplete', () => {
  const packages = {
    '': {},
    'node_modules/tool': { optionalDependencies: { '@tool/linux': '1.0.0', '@tool/mac': '1.0.0' } },
    'node_modules/@tool/linux': {},
  };
  expect(lockProblems({ packages })).toEqual(['node_modules/tool may use @tool/mac, which has no entry']);
});

test('an optional package is found beside the one that asks, and above it', () => {
  const packages = {
    'node_modules/a': { optionalDependencies: { inner: '1.0.0', outer: '1.0.0' } },
    'node_modules/a/node_modules/inner': {},
    'node_modules/outer': {},
  };
  expect(lockProblems({ packages })).toEqual([]);
});

test('a download address in a lock is a problem, a link to a workspace is not', () => {
  const packages = {
    'node_modules/a': { resolved: 'https://registry.example/a.tgz' },
    'node_modules/b': { resolved: 'packages/b' },
  };
  expect(lockProblems({ packages })).toEqual([
    'node_modules/a records a download address: https://registry.example/a.tgz',
  ]);
});
