import { latency } from './latency.mjs';
import { idle } from './live-idle.mjs';
import { ownJobs } from './live-own-jobs.mjs';
import { reconnect } from './live-reconnect.mjs';
import { room } from './live-room.mjs';
import { openFilesMax } from './open-files.mjs';

/** Files that a process has open beside its connections. */
const OTHER_FILES = 200;

export const live = {
  name: 'live',
  scenarios({ say, ...context }) {
    const limit = openFilesMax();
    const crowds = [ownJobs, room, idle, reconnect].map((make) => make(context));
    const possible = crowds.filter(({ id, connections }) => {
      if (connections + OTHER_FILES <= limit) return true;
      say(`${id} is left out: expected a limit of ${connections + OTHER_FILES} open files (ulimit -n), got ${limit}`);
      return false;
    });
    return [...latency.scenarios(context), ...possible];
  },
};
