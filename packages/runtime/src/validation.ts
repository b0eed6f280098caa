import { Ajv, type ErrorObject, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** One thing that is wrong with a value, by the place where it is (JSON pointer). */
export interface ValueProblem {
  pointer: string;
  message: string;
}

/** Checks a value and fills in the schema's defaults, in place. An empty list means that the value is valid. */
export type Validate = (value: unknown) => ValueProblem[];

/**
 * Nothing is coerced or dropped: a wrong field is refused, never repaired. `verbose` brings the value and the schema into
 * each error, which the messages need.
 */
export const AJV_OPTIONS = {
  allErrors: true,
  coerceTypes: false,
  removeAdditional: false,
  strict: false,
  verbose: true,
} as const satisfies Options;

/** More problems than this in one reply help nobody. */
const MAX_PROBLEMS = 20;

/**
 * Compiles a JSON Schema (2020-12; draft 7 when it says so).
 * @throws Error when the schema itself is not valid.
 */
export function compileSchema(schema: object, options: { useDefaults?: boolean } = {}): Validate {
  const { $schema: dialect, ...body } = schema as { $schema?: unknown };
  const draft7 = typeof dialect === 'string' && dialect.includes('draft-07');
  const ajv = draft7 ? new Ajv({ ...AJV_OPTIONS, ...options }) : new Ajv2020({ ...AJV_OPTIONS, ...options });
  formats.default(ajv);
  const check = ajv.compile(body);
  return (value) => (check(value) ? [] : describeErrors(check.errors ?? []));
}

/** Ajv's errors as sentences that say what was expected and what came. `prefix` is put before each pointer. */
export function describeErrors(errors: readonly ErrorObject[], prefix = ''): ValueProblem[] {
  // A failed branch keyword (anyOf, oneOf, if) comes with the errors of its branches, which say more.
  const telling = errors.filter((error) => !['anyOf', 'oneOf', 'if'].includes(error.keyword));
  const problems = (telling.length > 0 ? telling : errors).map((error) => describe(error, prefix));
  const seen = new Set<string>();
  return problems
    .filter(({ pointer, message }) => !seen.has(pointer + message) && seen.add(pointer + message))
    .slice(0, MAX_PROBLEMS);
}

function describe(error: ErrorObject, prefix: string): ValueProblem {
  const at = prefix + error.instancePath;
  switch (error.keyword) {
    case 'required':
      return named(`${at}/${pointerPart(error.params.missingProperty)}`, 'is required, got nothing');
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const extra: string = error.params.additionalProperty ?? error.params.unevaluatedProperty;
      const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
      return named(
        `${at}/${pointerPart(extra)}`,
        `is not a known field; expected ${known.length ? known.join(', ') : 'no fields'}`,
      );
    }
    default:
      return named(at, `expected ${expectation(error)}, got ${show(error.data)}`);
  }
}

function expectation(error: ErrorObject): string {
  const custom: unknown = error.parentSchema?.['x-expected'];
  if (typeof custom === 'string') return custom;
  switch (error.keyword) {
    case 'type':
      return [error.params.type].flat().join(' or ');
    case 'enum':
      return `one of ${error.params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(', ')}`;
    case 'const':
      return JSON.stringify(error.params.allowedValue);
    case 'format':
      return `text in the format ${error.params.format}`;
    case 'pattern':
      return `text that matches ${error.params.pattern}`;
    case 'uniqueItems':
      return 'items that are all different';
    case 'minItems':
    case 'maxItems':
    case 'minLength':
    case 'maxLength':
      return counted(error);
    default:
      return (error.message ?? error.keyword).replace(/^must (be )?/, '');
  }
}

function counted({ keyword, params }: ErrorObject): string {
  const unit = keyword.endsWith('Items') ? 'items' : 'characters';
  return `${keyword.startsWith('min') ? 'at least' : 'at most'} ${params.limit} ${unit}`;
}

function named(pointer: string, rest: string): ValueProblem {
  return { pointer, message: `${pointer || 'the value'} ${rest}` };
}

function pointerPart(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A value as it is shown in a message: short, and never a whole payload. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${typeof value} ${text.slice(0, 57)}…` : text;
}
