import type { ErrorObject } from 'ajv';

/** Keywords whose errors name a field, and so stand for themselves inside a union too. */
export const NAMES_A_FIELD: ReadonlySet<string> = new Set([
  'required',
  'dependencies',
  'dependentRequired',
  'additionalProperties',
  'unevaluatedProperties',
]);

/** A value that fits none of several schemas, or more than one where only one may fit. */
export function isUnion({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf';
}

/** Whether the error comes from a schema inside the one that `outer` is about. */
export function isInside(error: ErrorObject, outer: ErrorObject): boolean {
  return error.schemaPath.startsWith(`${outer.schemaPath}/`) && error.instancePath.startsWith(outer.instancePath);
}

/** What the alternatives of a union expect in its place: the first error of each. */
export function choicesOf(union: ErrorObject, errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = new Map<unknown, ErrorObject>();
  for (const error of errors) {
    const { keyword, instancePath, parentSchema } = error;
    if (isUnion(error) || NAMES_A_FIELD.has(keyword) || choices.has(parentSchema)) continue;
    if (isInside(error, union) && instancePath === union.instancePath) choices.set(parentSchema, error);
  }
  return [...choices.values()];
}

/** What the schema wants, to follow "expected". `errors` are all of the same value. */
export function expectation(error: ErrorObject, errors: readonly ErrorObject[]): string {
  const custom: unknown = error.parentSchema?.['x-expected'];
  const wanted = typeof custom === 'string' ? custom : byKeyword(error, errors);
  return error.propertyName === undefined ? wanted : `${wanted} as a field's name`;
}

function byKeyword(error: ErrorObject, errors: readonly ErrorObject[]): string {
  const { keyword, params } = error;
  switch (keyword) {
    case 'type':
      return [params.type].flat().join(' or ');
    case 'enum':
      return `one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(', ')}`;
    case 'const':
      return JSON.stringify(params.allowedValue);
    case 'format':
      return `text in the format ${params.format}`;
    case 'pattern':
      return `text that matches ${params.pattern}`;
    case 'multipleOf':
      return `a multiple of ${params.multipleOf}`;
    case 'uniqueItems':
      return 'items that are all different';
    case 'contains':
      return `${params.minContains} ${params.maxContains ? `to ${params.maxContains}` : 'or more'} items that fit the schema's contains`;
    case 'anyOf':
    case 'oneOf':
      return alternatives(error, errors);
    case 'not':
      return "a value that does not fit the schema's not";
    case 'false schema':
      return 'nothing here';
    default:
      return bound(error) ?? (error.message ?? keyword).replace(/^must (be )?/, '');
  }
}

function alternatives(union: ErrorObject, errors: readonly ErrorObject[]): string {
  if (union.params.passingSchemas) return 'a value that fits exactly one of the alternatives';
  const choices = choicesOf(union, errors).map((choice) => expectation(choice, errors));
  return [...new Set(choices)].join(' or ') || 'a value that fits one of the alternatives';
}

/** What a keyword's limit counts. */
const UNITS: Record<string, string> = {
  minItems: 'item',
  maxItems: 'item',
  items: 'item',
  additionalItems: 'item',
  unevaluatedItems: 'item',
  minLength: 'character',
  maxLength: 'character',
  minProperties: 'field',
  maxProperties: 'field',
};

function bound({ keyword, params: { limit } }: ErrorObject): string | undefined {
  const unit = UNITS[keyword];
  return unit && `${keyword.startsWith('min') ? 'at least' : 'at most'} ${limit} ${unit}${limit === 1 ? '' : 's'}`;
}

/** A value as it is shown in a message: short, and never a whole payload. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null)
    return Object.keys(value).length === 0 ? 'an empty object' : 'an object';
  // JSON, which spells too large a number 1e999, would show it as null.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${typeof value} ${text.slice(0, 57)}…` : text;
}
