import { compileSchema } from '@spillway/runtime';
import { type Static, type TSchema, Type } from '@spillway/schema';

/** What compose writes on each container; it finds its own again by these. */
export const LABELS = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
  replaces: 'com.docker.compose.replace',
} as const;

/** A service of a compose project. */
export interface Service {
  project: string;
  service: string;
}

const Labels = Type.Record(Type.String(), Type.String());

const Listed = Type.Array(Type.Object({ Id: Type.String(), State: Type.String(), Labels }));

/** What the engine knows of a container, as far as a clone needs it; all that is beside it is kept. */
const Inspected = Type.Object({
  Id: Type.String(),
  Image: Type.String(),
  Config: Type.Object({ Labels }),
  HostConfig: Type.Object({}),
  NetworkSettings: Type.Object({ Networks: Type.Record(Type.String(), Type.Unknown()) }),
});
export type Inspected = Static<typeof Inspected>;

export interface Container {
  id: string;
  /** By which compose counts the containers of a service, from 1. */
  number: number;
  /** Whether it works, or the engine is about to start it again. */
  isRunning: boolean;
}

const checkList = checker('a list of containers', Listed);
const checkInspected = checker('a container', Inspected);

/** @throws Error where the answer is something else. */
export function readList(answer: string): Container[] {
  return checkList(answer).map(({ Id: id, State, Labels: labels }) => ({
    id,
    number: Number(labels[LABELS.number]),
    isRunning: State === 'running' || State === 'restarting',
  }));
}

/** @throws Error where the answer is something else. */
export function readInspected(answer: string): Inspected {
  return checkInspected(answer);
}

function checker<S extends TSchema>(what: string, schema: S): (answer: string) => Static<S> {
  const check = compileSchema(schema);
  return (answer) => {
    const value: unknown = JSON.parse(answer);
    const [problem] = check(value);
    if (problem) throw new Error(`expected ${what} from the engine, got ${problem.pointer}: ${problem.message}`);
    return value as Static<S>;
  };
}

/** Whether a container is one of the service's own, which compose started to stay. */
export function belongsTo({ Config: { Labels: labels } }: Inspected, { project, service }: Service): boolean {
  return labels[LABELS.project] === project && labels[LABELS.service] === service && labels[LABELS.oneOff] === 'False';
}

/** The address of the list of all containers of a service, stopped ones too. */
export function listPath({ project, service }: Service): string {
  const label = [`${LABELS.project}=${project}`, `${LABELS.service}=${service}`, `${LABELS.oneOff}=False`];
  return `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ label }))}`;
}
