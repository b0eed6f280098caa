import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, startSpillway, until } from '@spillway/testkit';
import { parseAllDocuments, parseDocument } from 'yaml';

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  stringData?: Record<string, string>;
  spec: {
    secretTargetRef: { parameter: string; name: string; key: string }[];
    minReplicaCount: number;
    maxReplicaCount: number;
    triggers: Trigger[];
  };
}
interface Trigger {
  type: string;
  metricType: string;
  metadata: Record<string, string>;
  authenticationRef?: { name: string };
}

const text = readFileSync(join(__dirname, '../../../deploy/keda.yaml'), 'utf8');

function read(yaml: string): Manifest[] {
  return parseAllDocuments(yaml, { strict: true }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });
}

const [secret, authentication, scaled] = read(text) as [Manifest, Manifest, Manifest];

/** What KEDA's pages on the two triggers name; one that is misspelt is silently ignored there. */
const KNOWN = {
  'metrics-api': ['url', 'valueLocation', 'targetValue', 'activationTargetValue', 'unsafeSsl', 'authMode', 'format'],
  prometheus: [
    'serverAddress',
    'query',
    'threshold',
    'activationThreshold',
    'namespace',
    'ignoreNullValues',
    'authModes',
  ],
} as const;

/** The trigger that stands there as a comment, uncommented. */
function alternative(): Trigger {
  const [, comment = ''] = text.split('# In its place, where Prometheus scrapes api:\n');
  const triggers = comment.replaceAll(/^ {4}# /gm, '');
  return (parseDocument(triggers).toJS() as [Trigger])[0];
}

test('the three objects are of the kinds that KEDA knows, and refer to each other', () => {
  expect([secret, authentication, scaled].map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
    'v1 Secret',
    'keda.sh/v1alpha1 TriggerAuthentication',
    'keda.sh/v1alpha1 ScaledObject',
  ]);
  const [reference] = authentication.spec.secretTargetRef;
  expect(reference).toEqual({ parameter: 'token', name: secret.metadata.name, key: 'token' });
  expect(secret.stringData).toHaveProperty('token');
  expect(scaled.spec.triggers[0]?.authenticationRef).toEqual({ name: authentication.metadata.name });
  expect(scaled.spec.minReplicaCount).toBeLessThan(scaled.spec.maxReplicaCount);
});

test('both triggers have the fields that KEDA documents, all of them as strings', () => {
  for (const trigger of [scaled.spec.triggers[0]!, alternative()]) {
    const { type, metricType, metadata } = trigger;
    expect(Object.keys(KNOWN)).toContain(type);
    expect(metricType).toBe('AverageValue');
    expect(KNOWN[type as keyof typeof KNOWN]).toEqual(expect.arrayContaining(Object.keys(metadata)));
    for (const value of Object.values(metadata)) expect(typeof value).toBe('string');
  }
  expect(scaled.spec.triggers[0]?.metadata).toMatchObject({ authMode: 'bearer', targetValue: '1' });
});

test('what both triggers read is there, in a real api', async () => {
  await using spillway = await startSpillway();
  const { url, valueLocation = '' } = scaled.spec.triggers[0]!.metadata;
  const { pathname } = new URL(url!);
  const reply = await until('the queue', async () => {
    const { status, body } = await call<Record<string, Record<string, unknown>[]>>(spillway.url, 'GET', pathname);
    return status === 200 && body.queues?.some(({ name }) => name === 'images') ? body : undefined;
  });
  expect(typeof valueAt(reply, valueLocation)).toBe('number');

  const [, metric, queue] = /^max\((\w+)\{queue="(\w+)"\}\)$/.exec(alternative().metadata.query!) ?? [];
  const metrics = (await call<string>(spillway.url, 'GET', '/metrics')).body;
  expect(metrics).toMatch(new RegExp(`^${metric}\\{queue="${queue}",[^}]*\\} \\d`, 'm'));
});

/** GJSON's `list.#(key=="value").field`, which is all of that language that the file uses. */
function valueAt(reply: Record<string, Record<string, unknown>[]>, location: string): unknown {
  const [, list = '', key = '', value, field = ''] = /^(\w+)\.#\((\w+)=="(\w+)"\)\.(\w+)$/.exec(location) ?? [];
  return reply[list]?.find((one) => one[key] === value)?.[field];
}
