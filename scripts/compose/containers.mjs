/**
 * @typedef {object} Container
 * @property {string} id
 * @property {string} name
 * @property {string} service of docker-compose.yml
 * @property {{ HostIp: string, HostPort: string }[]} ports published on the host
 * @property {string[]} mounts where something of the host or of a volume is inside it
 * @property {boolean} readOnly whether its root file system is
 * @property {number} restarts how often it had to be started again
 */

/**
 * @param {import('./stack.mjs').Stack} stack
 * @returns {Promise<Container[]>} all containers of the stack, as the engine sees them
 */
export async function listContainers(stack) {
  const ids = (await stack.compose('--profile', 'autoscale', 'ps', '--all', '--quiet')).split('\n').filter(Boolean);
  return JSON.parse(await stack.docker(['inspect', ...ids])).map(describe);
}

/**
 * @param {import('./stack.mjs').Stack} stack
 * @returns {Promise<string[]>} names of the running workers, as compose knows them
 */
export async function listWorkers(stack) {
  const lines = await stack.compose('ps', '--status', 'running', '--format', '{{.Name}}', 'worker');
  return lines.split('\n').filter(Boolean).sort();
}

/** @param {any} found @returns {Container} */
function describe(found) {
  return {
    id: found.Id,
    name: found.Name.slice(1),
    service: found.Config.Labels['com.docker.compose.service'],
    ports: Object.values(found.NetworkSettings.Ports ?? {}).flatMap((bindings) => bindings ?? []),
    mounts: found.Mounts.map((/** @type {{ Destination: string }} */ { Destination }) => Destination),
    readOnly: found.HostConfig.ReadonlyRootfs,
    restarts: found.RestartCount,
  };
}

/**
 * @param {import('./stack.mjs').Stack} stack
 * @param {Container} container
 * @returns {Promise<string[]>} user ids of its processes
 */
export async function usersIn(stack, container) {
  const [, ...processes] = (await stack.docker(['top', container.id, '-o', 'pid,uid'])).trim().split('\n');
  return processes.map((line) => line.trim().split(/\s+/)[1] ?? '');
}
