import type { JsonSchema } from '@spillway/contracts';
import type { Static, TSchema } from 'typebox';

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
  | { readonly issues: readonly { readonly message: string }[] };

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

/** A property with a default need not be submitted, though the handler always gets it; zod publishes its defaults in the same way. */
function withoutDefaulted(schema: JsonSchema): JsonSchema {
  const properties = schema.properties as Record<string, JsonSchema> | undefined;
  if (!properties) return schema;
  const required = (schema.required as string[] | undefined)?.filter(
    (name) => !('default' in (properties[name] ?? {})),
  );
  const nested = Object.entries(properties).map(([name, property]) => [name, withoutDefaulted(property)]);
  return { ...schema, properties: Object.fromEntries(nested), ...(required && { required }) };
}
