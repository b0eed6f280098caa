import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { installDependencies } from '../setup/install.mjs';
import { temporaryFolder } from './temporary-folder.ts';

/** A project with one dependency, a folder of its own: nothing is downloaded. */
function makeProject(): string {
  const folder = temporaryFolder();
  const manifest = { name: 'clone', version: '1.0.0', workspaces: ['part'] };
  const lock = {
    ...manifest,
    lockfileVersion: 3,
    packages: {
      '': manifest,
      part: { version: '1.0.0' },
      'node_modules/part': { resolved: 'part', link: true },
    },
  };
  const part = path.join(folder, 'part');
  writeJson(path.join(folder, 'package.json'), manifest);
  writeJson(path.join(folder, 'package-lock.json'), lock);
  writeJson(path.join(part, 'package.json'), { name: 'part', version: '1.0.0' });
  return folder;
}

beforeEach(() => {
  jest.spyOn(console, 'log').mockImplementation(() => {}); // what it tells the person at the terminal
});

test('dependencies are installed once, and again when the lock file changes or the folder was lost', async () => {
  const folder = makeProject();
  const installed = path.join(folder, 'node_modules', 'part', 'package.json');
  expect(await installDependencies(folder)).toBe('installed');
  expect(existsSync(installed)).toBe(true);
  expect(await installDependencies(folder)).toBe('up to date');

  appendFileSync(path.join(folder, 'package-lock.json'), '\n');
  expect(await installDependencies(folder)).toBe('installed');

  rmSync(path.join(folder, 'node_modules'), { recursive: true });
  expect(await installDependencies(folder)).toBe('installed');
  expect(existsSync(installed)).toBe(true);
});

test('a lock file that can not be installed is a clear problem', async () => {
  const folder = makeProject();
  writeFileSync(path.join(folder, 'package.json'), '{ not JSON');
  await expect(installDependencies(folder)).rejects.toThrow(/npm install failed:[\s\S]*JSON/);
});

function writeJson(file: string, content: unknown): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(content, null, 2));
}
