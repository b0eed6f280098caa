import type { JobType } from '@spillway/client';

export type JsonSchema = JobType['input'];

interface Common {
  /** The property's name; empty for the whole input. */
  name: string;
  /** JSON pointer into the input. */
  pointer: string;
  title: string;
  description: string | undefined;
  required: boolean;
  /** What the server fills in where the field is left out. */
  fallback: unknown;
  example: unknown;
}

/** How one part of the input is asked for. `json` is for everything that has no control of its own. */
export type Field = Common &
  (
    | {
        kind: 'text';
        input: 'text' | 'url' | 'email' | 'date' | 'datetime-local' | 'password';
        multiline: boolean;
        short: boolean;
      }
    | { kind: 'number'; integer: boolean; minimum: number | undefined; maximum: number | undefined }
    | { kind: 'boolean' }
    | { kind: 'choice'; choices: readonly unknown[] }
    | { kind: 'choices'; choices: readonly unknown[] }
    | { kind: 'list'; item: Field; most: number | undefined }
    | { kind: 'group'; fields: readonly Field[] }
    | { kind: 'file' }
    | { kind: 'json' }
  );

/** The parts of JSON Schema that are looked at. */
interface Schema {
  [keyword: string]: unknown;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  title?: string;
  description?: string;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  maxLength?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  format?: string;
}

/** Deeper schemas are edited as JSON; it also ends schemas that contain themselves. */
const DEPTH_MAX = 4;

/** Keywords that change what is valid in ways a control cannot show. */
const BEYOND_CONTROLS = ['allOf', 'if', 'not', 'patternProperties', 'dependentSchemas', 'prefixItems', 'propertyNames'];

/** Texts that are no longer than this stand side by side in a list. */
const SHORT_MAX = 60;
/** Text fields longer than this get several lines. */
const ONE_LINE_MAX = 300;

/** Plans the form for a type's input. Pure. */
export function planForm(schema: JsonSchema): Field {
  return plan(schema as Schema, { name: '', pointer: '', required: true, depth: 0, root: schema as Schema });
}

interface Place {
  name: string;
  pointer: string;
  required: boolean;
  depth: number;
  root: Schema;
}

function plan(given: Schema, place: Place): Field {
  const schema = withoutNull(resolve(given, place.root));
  const common: Common = {
    name: place.name,
    pointer: place.pointer,
    title: given.title ?? schema.title ?? place.name,
    description: given.description ?? schema.description,
    required: place.required,
    fallback: given.default ?? schema.default,
    example: (given.examples ?? schema.examples)?.[0],
  };
  if (BEYOND_CONTROLS.some((keyword) => keyword in schema)) return { ...common, kind: 'json' };
  const choices = choicesOf(schema);
  if (choices) return { ...common, kind: 'choice', choices };
  return { ...common, ...controlFor(schema, place) } as Field;
}

type Control = Field extends infer F ? (F extends Common ? Omit<F, keyof Common> : never) : never;

function controlFor(schema: Schema, place: Place): Control {
  switch (schema.type) {
    case 'string':
      return textControl(schema);
    case 'integer':
    case 'number': {
      const minimum = schema.minimum ?? schema.exclusiveMinimum;
      const maximum = schema.maximum ?? schema.exclusiveMaximum;
      return { kind: 'number', integer: schema.type === 'integer', minimum, maximum };
    }
    case 'boolean':
      // A switch has no position for "left out", which may mean something else than "no".
      return place.required || schema.default !== undefined
        ? { kind: 'boolean' }
        : { kind: 'choice', choices: [true, false] };
    case 'array':
      return listControl(schema, place);
    case 'object':
      return groupControl(schema, place);
    default:
      return { kind: 'json' };
  }
}

const INPUTS = { uri: 'url', email: 'email', date: 'date', password: 'password' } as const;

function textControl(schema: Schema): Control {
  const control = schema['x-control'];
  if (control === 'file') return { kind: 'file' };
  const format = control === 'password' ? 'password' : schema.format;
  const input = INPUTS[format as keyof typeof INPUTS] ?? 'text';
  const multiline = control === 'multiline' || isProse(schema);
  return { kind: 'text', input, multiline, short: (schema.maxLength ?? ONE_LINE_MAX) <= SHORT_MAX };
}

/** Room for more than a line or two, and no form that the text must have. */
function isProse({ maxLength = 0, pattern, format }: Schema): boolean {
  return maxLength > ONE_LINE_MAX && pattern === undefined && format === undefined;
}

function listControl({ items, uniqueItems, maxItems }: Schema, place: Place): Control {
  if (!items) return { kind: 'json' };
  const item = plan(items, {
    ...place,
    name: '',
    pointer: `${place.pointer}/-`,
    required: true,
    depth: place.depth + 1,
  });
  if (item.kind === 'choice' && uniqueItems) return { kind: 'choices', choices: item.choices };
  const scalar = ['text', 'number', 'choice', 'file'].includes(item.kind);
  return scalar ? { kind: 'list', item, most: maxItems } : { kind: 'json' };
}

function groupControl({ properties = {}, required = [] }: Schema, place: Place): Control {
  const names = Object.keys(properties);
  if (names.length === 0 || place.depth >= DEPTH_MAX) return { kind: 'json' };
  const fields = names.map((name) =>
    plan(properties[name] ?? {}, {
      name,
      pointer: `${place.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      required: required.includes(name),
      depth: place.depth + 1,
      root: place.root,
    }),
  );
  return { kind: 'group', fields };
}

/** Follows `$ref` inside the schema; what cannot be followed is edited as JSON. */
function resolve(schema: Schema, root: Schema): Schema {
  let at = schema;
  for (let steps = 0; typeof at.$ref === 'string' && steps < DEPTH_MAX; steps += 1) at = lookUp(at.$ref, root);
  return at;
}

function lookUp(ref: string, root: Schema): Schema {
  if (!ref.startsWith('#/')) return {};
  let at: unknown = root;
  for (const part of ref.slice(2).split('/')) {
    at = (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return (at as Schema | undefined) ?? {};
}

/** A value that may also be null is asked for like the value; left empty, it is left out. */
function withoutNull(schema: Schema): Schema {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null');
    return types.length === 1 ? { ...schema, type: types[0] ?? '' } : { ...schema, type: types };
  }
  const options = schema.anyOf ?? schema.oneOf;
  const others = options?.filter(({ type }) => type !== 'null');
  if (others?.length === 1 && others.length < (options?.length ?? 0))
    return { ...schema, ...others[0], anyOf: undefined, oneOf: undefined };
  return schema;
}

/** The values of an `enum`, a `const`, or a union of such, as some libraries write one. */
function choicesOf(schema: Schema): unknown[] | undefined {
  if (schema.enum) return schema.enum;
  if ('const' in schema) return [schema.const];
  const options = schema.anyOf ?? schema.oneOf;
  if (!options?.length) return undefined;
  const values = options.map(choicesOf);
  return values.every((value) => value !== undefined) ? values.flat() : undefined;
}
