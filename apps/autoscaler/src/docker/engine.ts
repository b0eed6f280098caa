import { type Answer, callEngine, type Target } from './call.ts';
import type { Clone } from './clone.ts';
import { type Container, type Inspected, listPath, readInspected, readList, type Service } from './containers.ts';

/** The few calls of the Docker Engine API that scale a service. Each rejects with what the engine said. */
export interface Engine {
  /** All containers of the service, stopped ones too, by their numbers. */
  list(): Promise<Container[]>;
  inspect(id: string): Promise<Inspected>;
  /** Resolves with the id of the container, which is not started. */
  create(clone: Clone): Promise<string>;
  /** Resolves also where it runs already. */
  start(id: string): Promise<void>;
  /** Sends its stop signal, and resolves when it has ended: by itself, or killed after its own `stop_grace_period`. */
  stop(id: string): Promise<void>;
  /** Removes a container that has ended. Resolves also where it is gone. */
  remove(id: string): Promise<void>;
}

/** Opens nothing: each call is a connection of its own. */
export function openEngine(
  target: Target,
  { autoscalerProject: project, autoscalerService: service }: Settings,
): Engine {
  const call = (method: string, path: string, fine: readonly number[], body?: unknown) =>
    expectStatus(callEngine(target, { method, path, body }), `${method} ${path}`, fine);
  return {
    async list() {
      const { text } = await call('GET', listPath({ project, service }), [200]);
      return readList(text).sort((one, other) => one.number - other.number);
    },
    async inspect(id) {
      return readInspected((await call('GET', `/containers/${id}/json`, [200])).text);
    },
    async create({ name, body }) {
      const { text } = await call('POST', `/containers/create?name=${encodeURIComponent(name)}`, [201], body);
      return (JSON.parse(text) as { Id: string }).Id;
    },
    async start(id) {
      await call('POST', `/containers/${id}/start`, [204, 304]);
    },
    async stop(id) {
      await call('POST', `/containers/${id}/stop`, [204, 304, 404]);
    },
    async remove(id) {
      await call('DELETE', `/containers/${id}`, [204, 404]);
    },
  };
}

interface Settings {
  autoscalerProject: Service['project'];
  autoscalerService: Service['service'];
}

async function expectStatus(answer: Promise<Answer>, what: string, fine: readonly number[]): Promise<Answer> {
  const { status, text } = await answer;
  if (fine.includes(status)) return { status, text };
  throw new Error(`${what}: expected ${fine.join(' or ')} from the engine, got ${status} ${text.slice(0, 500).trim()}`);
}
