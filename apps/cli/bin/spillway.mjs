#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href).then(({ runProcess }) => runProcess(process));
} else {
  console.error('spillway is not built yet: run "npm run build" in the repository first');
  process.exitCode = 1;
}
