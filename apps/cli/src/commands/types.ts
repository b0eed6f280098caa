import type { JobType } from '@spillway/client';
import { EXIT_CODES, type ExitCode } from '../exit-code.ts';
import type { Session } from '../session.ts';
import { oneLine, table } from '../text.ts';

/** What can be submitted; one type in full when it is named. */
export async function types(session: Session, name: string | undefined): Promise<ExitCode> {
  if (name) return oneType(session, await session.client.type(name));
  const known = await session.client.types();
  if (session.json) for (const type of known) session.printJson(type);
  else if (known.length === 0) session.note('no worker has registered a job type yet');
  else session.print(table(session, ['type', 'queue', 'what it does'], known.map(describe)));
  return EXIT_CODES.ok.code;
}

function describe({ type, queue, title, description }: JobType): string[] {
  return [type, queue, oneLine(title ?? description ?? '', 70)];
}

function oneType(session: Session, type: JobType): ExitCode {
  if (session.json) session.printJson(type);
  else session.print(describeWhole(session, type));
  return EXIT_CODES.ok.code;
}

function describeWhole(session: Session, type: JobType): string {
  const heading = [type.type, type.title, `queue ${type.queue}`].filter(Boolean).join('  ·  ');
  const fields = fieldRows(type.input);
  const examples = (type.examples ?? []).map(
    (example) => `  spillway submit ${type.type} --input '${JSON.stringify(example).replaceAll("'", "'\\''")}'`,
  );
  return [
    heading,
    type.description,
    fields.length > 0 && `\n${table(session, ['field', 'kind', 'default', 'meaning'], fields)}`,
    examples.length > 0 && `\n${session.paint('dim', 'For example:')}\n${examples.join('\n')}`,
  ]
    .filter(Boolean)
    .join('\n');
}

interface FieldSchema {
  type?: string | string[];
  enum?: unknown[];
  default?: unknown;
  description?: string;
}

function fieldRows(input: JobType['input']): string[][] {
  const { properties = {}, required = [] } = input as { properties?: Record<string, FieldSchema>; required?: string[] };
  return Object.entries(properties).map(([name, field]) => [
    required.includes(name) ? `${name} *` : name,
    field.enum
      ? field.enum.map((choice) => JSON.stringify(choice)).join(' | ')
      : [field.type ?? 'any'].flat().join(' or '),
    field.default === undefined ? '' : oneLine(JSON.stringify(field.default), 24),
    oneLine(field.description ?? '', 60),
  ]);
}
