import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { claim, whileClaimed } from '../process/claim.mjs';
import { isAlive, markOf } from '../process/mark.mjs';
import { temporaryFolder } from './temporary-folder.ts';

test('a claim is refused while its holder lives, and names it', () => {
  const file = path.join(temporaryFolder(), 'lock');
  const first = claim(file);
  expect(claim(file).holder).toEqual(markOf(process.pid));
  first.release?.();
  expect(claim(file).release).toBeDefined();
});

test('the claim of a killed process is taken over', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const mark = markOf(child.pid!);
  writeFileSync(file, JSON.stringify(mark));
  expect(claim(file).holder).toEqual(mark);

  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(mark)).toBe(false);
  expect(claim(file).release).toBeDefined();
});

test('the claim of a process whose id was given to another one since is taken over', () => {
  const file = path.join(temporaryFolder(), 'lock');
  writeFileSync(file, JSON.stringify({ pid: process.pid, born: 'long ago' }));
  expect(claim(file).release).toBeDefined();
});

test('work that must run alone waits for its turn, and frees the claim also when it fails', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  const order: string[] = [];
  const onWait = () => order.push('second waits');
  const first = whileClaimed(file, { onWait: () => order.push('first waits') }, async () => {
    await new Promise(setImmediate);
    order.push('first done');
    throw new Error('first failed');
  });
  const second = whileClaimed(file, { onWait }, async () => order.push('second done'));
  await expect(first).rejects.toThrow('first failed');
  await second;
  expect(order).toEqual(['second waits', 'first done', 'second done']);
  expect(existsSync(file)).toBe(false);
});
