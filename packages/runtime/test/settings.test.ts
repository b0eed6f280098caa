import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { readConfig, SETTINGS, type Setting } from '@spillway/runtime';

const ROOT = resolve(__dirname, '../../..');
const settings: Setting<unknown>[] = Object.values(SETTINGS);

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

test('docs/settings.md has every setting with its default and its meaning, in the order of the table', () => {
  const rows = [...read('docs/settings.md').matchAll(/^\| `(\w+)` \|(?: `([^`]*)`)? \| (.+) \|$/gm)].map(
    ([, env, shown = '', describe]) => ({ env, shown, describe }),
  );
  expect(rows).toEqual(settings.map(({ env, shown, describe }) => ({ env, shown, describe })));
});

test('docs/settings.md names the settings that may come from a file', () => {
  const [, names = ''] = /^Secrets \(([^)]*)\)/m.exec(read('docs/settings.md')) ?? [];
  const secrets = settings.filter(({ secret }) => secret);
  expect(names.split(', ')).toEqual(secrets.map(({ env }) => `\`${env}\``));
});

test('.env.example has every setting with its meaning and its default, commented out', () => {
  const entries = [...read('.env.example').matchAll(/^# (.+)\n#(\w+)=(.*)$/gm)].map(([, describe, env, shown]) => ({
    env,
    shown,
    describe,
  }));
  expect(entries).toEqual(settings.map(({ env, shown, describe }) => ({ env, shown, describe })));
});

test('.env.example changes nothing as it stands, and is read as it is meant with everything uncommented', () => {
  expect(parseEnv(read('.env.example'))).toEqual({});
  const uncommented = parseEnv(read('.env.example').replaceAll(/^#(?=\w+=)/gm, ''));
  // The one default that is made of another setting.
  delete uncommented.SPILLWAY_STATUS_URL;
  expect(readConfig(uncommented)).toEqual(readConfig({}));
});
