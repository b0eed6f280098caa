import fc from 'fast-check';
import type { RawRequest } from './raw-http.ts';

/** What stands in every body that is sent, and must not stand in any log. */
export const MARKER = 'mark-5b1d9e';

/** The parts of an OpenAPI document that requests are made from. */
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema?: Schema }> };
}

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  items?: Schema;
}

/** What the server under test really has, so that a part of the requests gets past the first check. */
export interface Known {
  ids: readonly string[];
  types: readonly string[];
  queues: readonly string[];
  /** Values for Authorization headers that mean something. */
  credentials: readonly string[];
}

interface Route {
  method: string;
  path: string;
  query: string[];
  media: string | undefined;
  body: Schema | undefined;
}

/** A number or a text as JSON spells it, also where JSON has no such thing. */
class Spelled {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ODD_NUMBERS = [
  'NaN',
  'Infinity',
  '-Infinity',
  '1e999',
  '-1e999',
  '-0',
  '9007199254740993',
  '-1',
  '0.5',
  '1e-400',
];
const ODD_TEXTS = ['"\\ud800"', '"\\udc00x"', '"\\u0000"', '"\u202e"', '""', '"__proto__"', '"constructor"', '"\t"'];
const ODD_KEYS = ['__proto__', 'constructor', 'toString', '', 'a/b~c', '\u0000', MARKER, 'k'.repeat(5000)];
const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

const spelled = fc
  .constantFrom(...ODD_NUMBERS, ...ODD_TEXTS, 'null', 'true', '[]', '{}')
  .map((text) => new Spelled(text));
const marked = fc.constantFrom(MARKER, `${MARKER} \u{1f600}`, `${MARKER}\n`, MARKER.repeat(200));
const oddValue = fc.oneof(
  { weight: 4, arbitrary: spelled },
  { weight: 2, arbitrary: marked },
  { weight: 1, arbitrary: fc.constantFrom(100, 5000, 10_000).map((levels) => new Spelled(nested(levels))) },
  { weight: 1, arbitrary: fc.constant(new Spelled(`{"constructor":{"prototype":{"a":"${MARKER}"}}}`)) },
  { weight: 1, arbitrary: fc.constant(new Spelled(`{"__proto__":{"a":"${MARKER}"}}`)) },
  { weight: 1, arbitrary: fc.array(marked, { maxLength: 30 }) },
);

function nested(levels: number): string {
  return ['[{"a":'.repeat(levels / 2), `"${MARKER}"`, '}]'.repeat(levels / 2)].join('');
}

/** Requests to every route of the document and around them: some good, most of them wrong in one way or several. */
export function oddRequests(openApi: OpenApi, known: Known): fc.Arbitrary<RawRequest> {
  const routes = routesOf(openApi);
  const withBody = routes.filter(({ media }) => media);
  return fc
    .constantFrom(...routes, ...withBody, ...withBody, ...withBody, ...withBody)
    .chain((route) =>
      fc.record({
        method: mostly(
          route.method,
          fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'BREW'),
          30,
        ),
        target: targetOf(route, known),
        headers: headersOf(route, known),
        body: bodyOf(route, openApi, known),
        length: mostly<'right' | 'none' | 'more'>('right', fc.constantFrom('none', 'more'), 30),
      }),
    )
    .map(({ method, target, headers, body, length }) => ({
      method,
      target,
      body: length === 'none' ? Buffer.alloc(0) : body,
      headers: [
        ['host', 'localhost'],
        ['connection', 'close'],
        ...headers,
        ...(length === 'none' ? [] : [['content-length', String(body.length + (length === 'more' ? 10 : 0))] as const]),
      ],
    }));
}

/** Bodies that are streamed have no schema, and so no place in the document. */
const UPLOADS: Record<string, string> = { '/v1/files': 'multipart/form-data' };

function routesOf({ paths }: OpenApi): Route[] {
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody }]): Route => {
      const [media, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
      const query = parameters.flatMap((parameter) => (parameter.in === 'query' ? [parameter.name] : []));
      return { method: method.toUpperCase(), path, query, media: media ?? UPLOADS[path], body: content?.schema };
    }),
  );
  const others = [
    '/',
    '/docs',
    '/docs/static/{file}',
    '/assets/{file}',
    '/openapi.json',
    '/{id}',
    '/v1/{id}',
    '/socket.io/',
  ];
  return [
    ...documented,
    ...others.map((path): Route => ({ method: 'GET', path, query: ['EIO'], media: undefined, body: undefined })),
  ];
}

/** The usual value about four times in five, or as often as `weight` says. */
function mostly<T>(usual: T, others: fc.Arbitrary<T>, weight = 8): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: others });
}

function segment({ ids, types, queues }: Known): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ids, ...types, ...queues) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        'meta',
        'wait',
        'events',
        '..',
        '.',
        '../x',
        '..%2f..%2fetc%2fpasswd',
        '%2e%2e',
        '%',
        '%zz',
        '%00',
        '%c3%28',
        '%ed%a0%80',
        '%F0%9F%98%80',
        '\u00e9',
        '__proto__',
        'constructor',
        '*',
        '{demo}',
        '-1',
        'NaN',
        '',
        ' ',
        'a b',
        '%20',
        '%0d%0a',
        '[::1]',
        '//x',
        'x'.repeat(101),
        'x'.repeat(129),
        'x'.repeat(6000),
        'x'.repeat(20_000),
        `nowhere.${ULID}`,
        `demo.${ULID}`,
        `registry.${ULID}`,
        `${'q'.repeat(90)}.${ULID}`,
        `demo.${ULID}:lock`,
        `${ULID}.jpg`,
        '00000000-0000-4000-8000-000000000000',
      ),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 40 }).map(encodeURIComponentLoosely) },
  );
}

function encodeURIComponentLoosely(text: string): string {
  return !/\p{Surrogate}/u.test(text) ? encodeURIComponent(text) : '%';
}

function targetOf({ path, query }: Route, known: Known): fc.Arbitrary<string> {
  const parts = path.split(/(\{[^}]+\})/).map((part) => (part.startsWith('{') ? segment(known) : fc.constant(part)));
  const name = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...query, 'cursor', 'limit') },
    { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'limit[]', '', 'wait%00', 'x'.repeat(300)) },
  );
  // No long waits: a request that waits as it is told to is no hang.
  const value = fc.oneof(
    fc.constantFrom(
      '0',
      '1',
      '-1',
      '60',
      '1e3',
      'NaN',
      '',
      '%',
      '%00',
      '%ff',
      'waiting',
      'delayed',
      'demo',
      'demo.noop',
      'x'.repeat(600),
    ),
    fc
      .constantFrom(
        { section: 1, queue: 0, at: 'x' },
        { section: 3, queue: 0, at: {}, id: 5 },
        { section: 0, queue: 0, at: 1.5 },
        { section: 5, queue: 0, at: 'x', id: 'y' },
        { section: 3, queue: 1e9, at: -1 },
        { section: -1, queue: -1 },
        null,
        [],
        'x',
      )
      .map((place) => Buffer.from(JSON.stringify(place)).toString('base64url')),
    fc.constantFrom('0-0~0~0', '1-0~0~0~%00', '99999999999999999999-0~1~1', '1-0~-1~0', 'x~y~z'),
  );
  const queries = fc.array(
    fc.tuple(name, value).map(([key, text]) => `${key}=${text}`),
    { maxLength: 3 },
  );
  return fc
    .tuple(fc.tuple(...parts), mostly<string[]>([], queries, 3))
    .map(([pieces, pairs]) => pieces.join('') + (pairs.length > 0 ? `?${pairs.join('&')}` : ''));
}

const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ['prefer', 'wait=1'],
  ['prefer', 'wait=-1'],
  ['prefer', 'return=minimal'],
  ['prefer', 'wait=abc, return=nothing;;;'],
  ['prefer', ','.repeat(5000)],
  ['last-event-id', 'x'],
  ['last-event-id', '0-0~0~0'],
  ['last-event-id', '\u00ff\u00fe'],
  ['last-event-id', '9'.repeat(3000)],
  ['idempotency-key', 'k'],
  ['idempotency-key', 'k'.repeat(5000)],
  ['idempotency-key', ''],
  ['idempotency-key', '\u00e9"\\'],
  ['idempotency-key', `${MARKER} ${MARKER}`],
  ['x-request-id', 'x'.repeat(100)],
  ['x-request-id', '{"a":1}'],
  ['if-none-match', '*'],
  ['range', 'bytes=9-1'],
  ['origin', 'null'],
  ['origin', 'http://['],
  ['host', 'evil.example'],
  ['accept', 'x'.repeat(300)],
  ['accept-encoding', 'gzip;q=NaN'],
  ['content-encoding', 'gzip'],
  ['expect', 'the-unexpected'],
  ['expect', '100-continue'],
  ['upgrade', 'h2c'],
  ['transfer-encoding', 'chunked'],
  ['x-large', 'x'.repeat(10_000)],
  ['x-larger', 'x'.repeat(40_000)],
  ['x\u00e9', 'y'],
  ['cookie', '__proto__=1'],
];

function headersOf({ media }: Route, { credentials }: Known): fc.Arbitrary<[string, string][]> {
  const contentType = fc.constantFrom(
    'text/plain',
    'application/xml',
    'application/json; charset=latin1',
    'application/json;;',
    'APPLICATION/JSON',
    'json',
    '',
    '\u00ff',
    'multipart/form-data',
    'multipart/form-data; boundary=b',
    'application/x-www-form-urlencoded',
    'application/json-patch+json',
    'x'.repeat(3000),
  );
  const usual = media?.startsWith('multipart') ? 'multipart/form-data; boundary=b' : 'application/json';
  const authorization = fc.constantFrom(
    'Bearer',
    'Bearer ',
    'Basic Zm9v',
    'Bearer x',
    `Bearer ${'y'.repeat(9000)}`,
    'Bearer eyJ.eyJ.x',
    'Bearer a.b.c.d',
    'Bearer \u00ff',
    'bearer null',
  );
  return fc
    .tuple(
      mostly<string | undefined>(media ? usual : undefined, contentType),
      fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...credentials) }, { weight: 2, arbitrary: authorization }),
      mostly<readonly (readonly [string, string])[]>(
        [],
        fc.array(fc.constantFrom(...ODD_HEADERS), { maxLength: 3 }),
        5,
      ),
    )
    .map(([type, bearer, odd]) => [
      ...(type === undefined ? [] : [['content-type', type] as [string, string]]),
      ...(bearer === undefined ? [] : [['authorization', bearer] as [string, string]]),
      ...odd.map(([name, value]): [string, string] => [name, value]),
    ]);
}

function bodyOf({ media, body }: Route, openApi: OpenApi, known: Known): fc.Arbitrary<Buffer> {
  if (media?.startsWith('multipart')) return multipart();
  if (!media) return mostly(Buffer.alloc(0), fc.constantFrom(Buffer.from('{}'), Buffer.from(MARKER)));
  const json = jsonOf(body ?? {}, openApi, known).map(spell);
  return fc.oneof(
    { weight: 12, arbitrary: json.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: json.map((text) => Buffer.from(text.slice(0, -1))) },
    { weight: 1, arbitrary: json.map((text) => withBadBytes(text)) },
    { weight: 1, arbitrary: json.map((text) => Buffer.from(`\ufeff${text}`)) },
    { weight: 1, arbitrary: json.map((text) => Buffer.from(text.replace('{', `{"input":"${MARKER}","input":2,`))) },
    { weight: 1, arbitrary: fc.constantFrom(100, 10_000).map((levels) => Buffer.from(nested(levels))) },
    {
      weight: 1,
      arbitrary: fc.constant(Buffer.from(`{"type":"demo.noop","input":{"${MARKER}":"${'z'.repeat(300_000)}"}}`)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) },
  );
}

/** Bytes that no UTF-8 has, inside a text. */
function withBadBytes(text: string): Buffer {
  const at = Math.max(text.lastIndexOf('"'), 0);
  return Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from(text.slice(at))]);
}

/** How often each named schema is being unfolded at the moment. */
const unfolding = new Map<string, number>();

/** A value that fits the schema by and large, with odd values strewn in. One that holds itself ends at its second level. */
function jsonOf(schema: Schema, openApi: OpenApi, known: Known, key = ''): fc.Arbitrary<unknown> {
  const name = schema.$ref?.split('/').at(-1);
  if (name === undefined) return fitting(schema, openApi, known, key);
  const levels = unfolding.get(name) ?? 0;
  if (levels === 2) return oddValue;
  unfolding.set(name, levels + 1);
  const value = fitting(openApi.components.schemas[name] ?? {}, openApi, known, key);
  unfolding.set(name, levels);
  return value;
}

function fitting(schema: Schema, openApi: OpenApi, known: Known, key: string): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 25, arbitrary: usualOf(schema, openApi, known, key) }, { weight: 1, arbitrary: oddValue });
}

function usualOf(schema: Schema, openApi: OpenApi, known: Known, key: string): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => jsonOf(each, openApi, known, key)));
  switch (schema.type) {
    case 'object':
      return objectOf(schema, openApi, known);
    case 'array':
      return key === '' && !schema.items?.properties
        ? fc.array(jsonOf(submitRequest(openApi), openApi, known), { maxLength: 4 })
        : fc.array(jsonOf(schema.items ?? {}, openApi, known, key.replace(/s$/, '')), { maxLength: 4 });
    case 'integer':
    case 'number':
      return fc.oneof({ weight: 8, arbitrary: fc.constantFrom(1, 2, 60) }, { weight: 1, arbitrary: fc.double() });
    case 'boolean':
      return fc.boolean();
    case 'string':
      return textFor(key, known);
    default:
      return fc.oneof(
        { weight: 6, arbitrary: fc.record({ note: marked, steps: fc.constantFrom(1, 2) }, { requiredKeys: [] }) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
      );
  }
}

/** Batches take anything, so that a bad line does not hold up the others; what they want is what a submit wants. */
function submitRequest({ paths }: OpenApi): Schema {
  return paths['/v1/jobs']?.post?.requestBody?.content['application/json']?.schema ?? {};
}

function objectOf({ properties = {} }: Schema, openApi: OpenApi, known: Known): fc.Arbitrary<object> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, jsonOf(schema, openApi, known, name)]),
  );
  const required = Object.keys(fields).filter((name) => name === 'type' || name === 'job' || name === 'jobs');
  return fc
    .tuple(
      fc.record(fields, { requiredKeys: required }),
      mostly<[string, unknown][]>([], fc.array(fc.tuple(fc.constantFrom(...ODD_KEYS), oddValue), { maxLength: 2 }), 20),
    )
    .map(([usual, odd]) => Object.assign(Object.create(null) as object, usual, Object.fromEntries(odd)));
}

function textFor(key: string, { ids, types, queues }: Known): fc.Arbitrary<string> {
  const own: Record<string, readonly string[]> = { type: types, job: ids, id: ids, queue: queues };
  const usual = own[key] ?? [MARKER, 'a', ...ids];
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  );
}

/** As JSON.stringify writes it, with what it would not write. */
function spell(value: unknown): string {
  if (value instanceof Spelled) return value.text;
  if (Array.isArray(value)) return `[${value.map(spell).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, field]) => `${JSON.stringify(key)}:${spell(field)}`)
      .join(',')}}`;
  }
  return Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? String(value));
}

function multipart(): fc.Arbitrary<Buffer> {
  const part = fc.record({
    disposition: fc.constantFrom(
      'form-data; name="file"; filename="a.txt"',
      'form-data; name="file"; filename="../../x\\..\\y"',
      'form-data; name="__proto__"; filename="x"',
      'form-data; name="file"',
      'form-data',
      'nonsense',
      'form-data; name="file"; filename*=UTF-8\'\'%ff%00',
      `form-data; name="file"; filename="${'n'.repeat(3000)}"`,
    ),
    type: fc.constantFrom('text/plain', 'image/png', 'text/html', '', 'x/y', '\u00ff'),
    content: fc.constantFrom('hello', '', `<html>${MARKER}`, '\u0000\u0001', 'x'.repeat(20_000)),
  });
  const whole = fc
    .array(part, { maxLength: 3 })
    .map((parts) =>
      parts
        .map(
          ({ disposition, type, content }) =>
            `--b\r\nContent-Disposition: ${disposition}\r\nContent-Type: ${type}\r\n\r\n${content}\r\n`,
        )
        .join(''),
    );
  return fc
    .tuple(whole, mostly('--b--\r\n', fc.constantFrom('', '--b', '--c--\r\n', '--b\r\n')))
    .map(([parts, end]) => Buffer.from(parts + end));
}
