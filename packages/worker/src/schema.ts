import type { JsonSchema } from '@spillway/contracts';
import type { Static, TSchema } from '@spillway/schema';

/**
 * The part of the Standard Schema and Standard JSON Schema interfaces that is used here (https://standardschema.dev).
 * zod 4.2 and later implements both, so zod itself is no dependency.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly jsonSchema: { readonly input: (options: { target: 'draft-2020-12' }) => Record<string, unknown> };
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value, and where. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What `defineJob` takes as a schema: TypeBox, which is JSON Schema, or a zod 4 schema. */
export type Schema = TSchema | StandardSchema;

/** The type of a value that passed the schema, defaults filled in. */
export type Infer<S extends Schema> =
  S extends StandardSchema<infer Output> ? Output : S extends TSchema ? Static<S> : never;

export function isStandardSchema(schema: Schema): schema is StandardSchema {
  return '~standard' in schema;
}

/**
 * The JSON Schema that is published for a schema.
 * @throws TypeError when a zod schema uses what JSON Schema cannot express (transforms into dates, functions, …).
 */
export function toJsonSchema(schema: Schema, what: string): JsonSchema {
  // A copy through JSON drops TypeBox's hidden symbols and anything else that would not survive Redis.
  if (!isStandardSchema(schema)) return withoutDefaulted(JSON.parse(JSON.stringify(schema)) as JsonSchema);
  const { jsonSchema, vendor } = schema['~standard'];
  if (!jsonSchema)
    throw new TypeError(
      `${what}: expected a schema with a JSON Schema form, got ${vendor} without one (zod needs 4.2 or later)`,
    );
  try {
    return jsonSchema.input({ target: 'draft-2020-12' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`${what}: this ${vendor} schema has no JSON Schema form: ${reason}`, { cause });
  }
}

/**
 * A property with a default need not be submitted, though the handler always gets it; zod publishes its defaults in the
 * same way. Followed as far as defaults are filled in, which is not inside unions.
 */
function withoutDefaulted(schema: JsonSchema): JsonSchema {
  const { properties, required, items, allOf } = schema as SchemaParts;
  return {
    ...schema,
    ...(properties && { properties: mapValues(properties, withoutDefaulted) }),
    ...(required && { required: required.filter((name) => !('default' in (properties?.[name] ?? {}))) }),
    ...(isSchema(items) && { items: withoutDefaulted(items) }),
    ...(allOf && { allOf: allOf.map(withoutDefaulted) }),
  };
}

interface SchemaParts {
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: unknown;
  allOf?: JsonSchema[];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapValues<T>(record: Record<string, T>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
