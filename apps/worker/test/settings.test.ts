import { readJobSettings } from '../src/settings.ts';

test('permits nothing and signs nothing where nothing is set', () => {
  const { paths, permit, signingKey } = readJobSettings({});
  expect(paths).toEqual([]);
  expect(permit('localhost', '127.0.0.1')).toBe(false);
  expect(signingKey).toBeUndefined();
});

test('reads folders, permitted addresses and the signing key', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const { paths, permit, signingKey } = readJobSettings({
    SPILLWAY_PATHS: '/srv/a, /srv/b',
    SPILLWAY_ALLOW_PRIVATE: 'localhost,10.0.0.0/8',
    SPILLWAY_DELIVER_SECRET: `whsec_${key}`,
  });
  expect(paths).toEqual(['/srv/a', '/srv/b']);
  expect(permit('localhost', '127.0.0.1')).toBe(true);
  expect(signingKey?.toString('base64')).toBe(key);
});

test.each([
  [{ SPILLWAY_ALLOW_PRIVATE: '10.0.0.0/99' }, 'SPILLWAY_ALLOW_PRIVATE: expected true, or hosts, addresses and CIDR'],
  [
    { SPILLWAY_DELIVER_SECRET: 'hunter2' },
    'SPILLWAY_DELIVER_SECRET: expected whsec_ and the base64 of 24 to 64 random',
  ],
])('says what is wrong with %j, and no secret', (env, message) => {
  expect(() => readJobSettings(env)).toThrow(message);
  expect(() => readJobSettings(env)).not.toThrow('hunter2');
});
