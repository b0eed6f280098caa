import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LABELS } from '../src/docker/containers.ts';
import { listening } from '../src/listening.ts';

export interface StandContainer {
  Id: string;
  Name: string;
  Image: string;
  State: { Status: string };
  Config: { Hostname: string; Env: string[]; User: string; Labels: Record<string, string> };
  HostConfig: Record<string, unknown>;
  NetworkSettings: { Networks: Record<string, { Aliases: string[]; IPAddress: string }> };
}

/**
 * The few routes of the engine's API over a real socket, with containers that run nothing: what the real engine makes of the
 * same calls is shown by `npm run test:compose`.
 */
export interface EngineStand extends AsyncDisposable {
  socketPath: string;
  /** Every request that has arrived. */
  heard: string[];
  containers: StandContainer[];
  add(service: string, number: number, change?: Partial<StandContainer>): StandContainer;
  /** Containers that are told to stop go on until they are released. */
  holdStops(): { release(): void };
}

export async function openEngineStand(): Promise<EngineStand> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-engine-'));
  const socketPath = join(folder, 'engine.sock');
  const heard: string[] = [];
  const containers: StandContainer[] = [];
  let stops: Promise<void> = Promise.resolve();
  const http = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    void answer(request, response);
  });
  http.listen(socketPath);
  await new Promise((resolve) => http.once('listening', resolve));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { status, body } = await respond(request, Buffer.concat(chunks).toString());
    response.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  }

  async function respond(request: IncomingMessage, text: string): Promise<{ status: number; body?: unknown }> {
    const url = new URL(request.url ?? '', 'http://engine');
    if (url.pathname === '/_ping') return { status: 200, body: 'OK' };
    if (url.pathname === '/containers/json') return { status: 200, body: listed(url) };
    if (url.pathname === '/containers/create') return { status: 201, body: { Id: create(url, JSON.parse(text)) } };
    const [, , id, verb = 'remove'] = url.pathname.split('/');
    const found = containers.find(({ Id }) => Id === id);
    if (!found) return { status: 404, body: { message: `No such container: ${id}` } };
    if (verb === 'json') return { status: 200, body: found };
    if (verb === 'stop') await stops;
    if (verb === 'remove') containers.splice(containers.indexOf(found), 1);
    found.State.Status = verb === 'start' ? 'running' : 'exited';
    return { status: 204 };
  }

  function listed(url: URL): unknown {
    const { label = [] } = JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] };
    return containers
      .filter(({ Config: { Labels } }) => label.every((one) => Labels[one.split('=')[0] ?? ''] === one.split('=')[1]))
      .map(({ Id, State, Config: { Labels } }) => ({ Id, State: State.Status, Labels }));
  }

  function create(url: URL, body: Record<string, unknown> & { NetworkingConfig: { EndpointsConfig: object } }): string {
    const { Image, HostConfig, NetworkingConfig, ...Config } = body;
    const Id = idOf(containers.length + 100);
    const Networks = Object.fromEntries(
      Object.keys(NetworkingConfig.EndpointsConfig).map((name) => [name, { Aliases: [Id], IPAddress: '10.0.0.9' }]),
    );
    const made = { Id, Name: `/${url.searchParams.get('name')}`, Image, State: { Status: 'created' }, HostConfig };
    const settings = { ...Config, Hostname: Id };
    containers.push({ ...made, Config: settings, NetworkSettings: { Networks } } as unknown as StandContainer);
    return Id;
  }

  return {
    socketPath,
    heard,
    containers,
    add(service, number, change = {}) {
      const added = { ...containerOf(service, number, idOf(containers.length)), ...change };
      containers.push(added);
      return added;
    },
    holdStops() {
      let release = () => {};
      stops = new Promise((resolve) => {
        release = resolve;
      });
      return { release };
    },
    async [Symbol.asyncDispose]() {
      if (http.listening) await listening(http).close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function idOf(number: number): string {
  return `${number}`.padStart(12, 'c');
}

function containerOf(service: string, number: number, Id: string): StandContainer {
  const labels = { [LABELS.project]: 'house', [LABELS.service]: service, [LABELS.number]: `${number}` };
  return {
    Id,
    Name: `/house-${service}-${number}`,
    Image: 'sha256:abc',
    State: { Status: 'running' },
    Config: { Hostname: Id, Env: ['A=1'], User: '1000', Labels: { ...labels, [LABELS.oneOff]: 'False' } },
    HostConfig: { Binds: ['house_files:/files'], Privileged: false, CapDrop: ['ALL'], NetworkMode: 'house_default' },
    NetworkSettings: { Networks: { house_default: { Aliases: [Id, service], IPAddress: '10.0.0.2' } } },
  };
}
