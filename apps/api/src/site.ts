import { fileURLToPath } from 'node:url';

/** Where the dashboard's build lies: seen from this folder as from `dist`, where api is one file. */
export const SITE = fileURLToPath(new URL('../../dashboard/dist/site', import.meta.url));
