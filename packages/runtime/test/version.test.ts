import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { VERSION } from '@spillway/runtime';

const ROOT = resolve(__dirname, '../../..');

test("the version that services report is the one of package.json, and every workspace's", () => {
  const folders = ['packages', 'apps'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)),
  );
  for (const folder of [ROOT, ...folders]) {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect({ name, version }).toEqual({ name, version: VERSION });
  }
});
