import path from 'node:path';
import { localAddress } from './ports.mjs';

/**
 * @param {{ ports: import('./ports.mjs').Ports, redis: string, dataFolder: string, hasKeys: boolean }} running
 * @returns {string} what a newcomer wants to know next
 */
export function greeting({ ports, redis, dataFolder, hasKeys }) {
  const page = localAddress(ports.host, ports.api);
  const header = hasKeys ? " -H 'authorization: Bearer YOUR_KEY'" : '';
  const settings = [
    ...(page === 'http://127.0.0.1:3000' ? [] : [`SPILLWAY_URL=${page} `]),
    ...(hasKeys ? ['SPILLWAY_KEY=YOUR_KEY '] : []),
  ];
  return `
  Spillway is running.

    page            ${page}
    API reference   ${page}/docs
    status service  ${localAddress(ports.host, ports.status)}
    Redis           ${redis}
    data            ${path.relative(process.cwd(), dataFolder)}${path.sep} (kept for the next start)

  Submit a first job:
    curl -s ${page}/v1/jobs${header} -H 'content-type: application/json' -d '{"type":"demo.steps","input":{"steps":20}}'

  Submit one and watch it here:
    ${settings.join('')}npx spillway submit demo.steps --watch

  Ctrl-C stops everything.
`;
}
