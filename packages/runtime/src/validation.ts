import { Ajv, type ErrorObject, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { choicesOf, expectation, isInside, isUnion, NAMES_A_FIELD, show } from './expectation.ts';

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
/** A list of thousands of wrong items costs no more than its first few: errors are compared with each other. */
const MAX_ERRORS = 200;

/**
 * Compiles a JSON Schema (2020-12; draft 7 when it says so). Formats that are not known are not checked. A schema that is
 * somebody else's goes through `checkSchema` before: what is wrong with one is not always seen here.
 * @throws Error when the schema cannot be compiled.
 */
export function compileSchema(schema: object, options: { useDefaults?: boolean } = {}): Validate {
  const { Dialect, body } = readDialect(schema);
  // Without `logger: false` Ajv writes a line to the console for every format that it does not know.
  const ajv = new Dialect({ ...AJV_OPTIONS, ...options, logger: false, validateSchema: false });
  formats.default(ajv);
  const check = ajv.compile(body);
  return (value) => (check(value) ? [] : describeErrors(check.errors ?? []));
}

/** One compiler for the schemas of each dialect's schemas: to compile those costs several times what a job's schema does. */
const dialectCheckers = new Map<typeof Ajv | typeof Ajv2020, Ajv | Ajv2020>();

/** Whether a schema is one, by its dialect. @throws Error that says what is wrong with it */
export function checkSchema(schema: object): void {
  const { Dialect, body } = readDialect(schema);
  const checker = dialectCheckers.get(Dialect) ?? new Dialect({ ...AJV_OPTIONS, logger: false });
  dialectCheckers.set(Dialect, checker);
  if (!checker.validateSchema(body)) throw new Error(`schema is invalid: ${checker.errorsText()}`);
}

function readDialect(schema: object): { Dialect: typeof Ajv | typeof Ajv2020; body: object } {
  const { $schema, ...body } = schema as { $schema?: unknown };
  return { Dialect: typeof $schema === 'string' && $schema.includes('draft-07') ? Ajv : Ajv2020, body };
}

/** Ajv's errors as sentences that say what was expected and what came. `prefix` is put before each pointer. */
export function describeErrors(errors: readonly ErrorObject[], prefix = ''): ValueProblem[] {
  const considered = errors.slice(0, MAX_ERRORS);
  const problems = considered
    .filter((error) => !isToldElsewhere(error, considered))
    .map((error) => describe(error, considered, prefix));
  const seen = new Set<string>();
  return problems
    .filter(({ pointer, message }) => !seen.has(pointer + message) && seen.add(pointer + message))
    .slice(0, MAX_PROBLEMS);
}

/** Whether the sentence of another error says what this one would. */
function isToldElsewhere(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  // These two only report that a schema inside them failed.
  if (error.keyword === 'if' || error.keyword === 'propertyNames') return true;
  if (isUnion(error) && !error.params.passingSchemas && choicesOf(error, errors).length === 0) {
    return errors.some((other) => other !== error && other.instancePath.startsWith(error.instancePath));
  }
  return errors.some((other) => {
    if (isUnion(other) && isInside(error, other))
      return isUnion(error) || (error.instancePath === other.instancePath && !NAMES_A_FIELD.has(error.keyword));
    if (other.keyword === 'contains') return isInside(error, other);
    // A format may bring its pattern along (zod's do), and its name says more.
    return error.keyword === 'pattern' && other.keyword === 'format' && other.parentSchema === error.parentSchema;
  });
}

function describe(error: ErrorObject, errors: readonly ErrorObject[], prefix: string): ValueProblem {
  const at = prefix + error.instancePath;
  const { params } = error;
  switch (error.keyword) {
    case 'required':
      return named(`${at}/${pointerPart(params.missingProperty)}`, 'is required, got nothing');
    case 'dependencies':
    case 'dependentRequired':
      return named(
        `${at}/${pointerPart(params.missingProperty)}`,
        `is required beside ${params.property}, got nothing`,
      );
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const extra: string = params.additionalProperty ?? params.unevaluatedProperty;
      const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
      return named(
        `${at}/${pointerPart(extra)}`,
        `is not a known field; expected ${known.length ? known.join(', ') : 'no fields'}`,
      );
    }
    default:
      return named(at, `expected ${expectation(error, errors)}, got ${show(error.data)}`);
  }
}

function named(pointer: string, rest: string): ValueProblem {
  return { pointer, message: `${pointer || 'the value'} ${rest}` };
}

/** Characters that a message repeats of a field's name, which may be anything that somebody sent. */
const KEY_SHOWN = 100;

function pointerPart(key: string): string {
  if (key.length > KEY_SHOWN) return `${pointerPart(key.slice(0, KEY_SHOWN))}…`;
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
