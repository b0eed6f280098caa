import { availableParallelism } from 'node:os';
import { parse } from 'node:path';
import { fileRef, fileUrl } from '@spillway/files';
import { defineJob, FileRef, Type } from '@spillway/worker';
import type { ColumnProfile } from '../csv/column.ts';
import { profileCsv } from '../csv/profile.ts';
import { openSource } from '../source.ts';

/** No limit of the method, which needs the same memory for any size; one for a download that never ends. */
const MAX_BYTES = 1024 ** 4;
/** Wider profiles are shortened in the result, which Redis keeps; the report holds all of them. */
const RESULT_COLUMNS = 100;
/** A first look early, and one whenever ten times as many rows have passed. */
const FIRST_LOOK_ROWS = 1000;

export const csvProfile = defineJob({
  type: 'csv.profile',
  queue: 'data',
  title: 'Profile a CSV',
  description: 'Reads a CSV of any size once: types, missing values and the distribution of every column.',
  attempts: 2,
  timeoutMs: 4 * 60 * 60_000,
  // All of its work is JavaScript: beside others on one event loop each would get a share of one core.
  isolate: 'thread',
  concurrency: availableParallelism(),
  input: Type.Object(
    {
      source: FileRef({ title: 'CSV' }),
      delimiter: Type.Optional(
        Type.String({ minLength: 1, maxLength: 1, description: 'told from the file if absent' }),
      ),
      header: Type.Optional(Type.Boolean({ description: 'whether the first row names the columns; told if absent' })),
      missing: Type.Array(Type.String({ maxLength: 40 }), {
        maxItems: 20,
        default: ['NA', 'N/A', 'NaN', 'null', 'NULL'],
        description: 'cells that count as missing, beside empty ones',
      }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    rows: Type.Integer(),
    columns: Type.Array(Type.Unknown()),
    delimiter: Type.String(),
    header: Type.Boolean(),
    encoding: Type.String(),
    ragged: Type.Object({ rows: Type.Integer(), lines: Type.Array(Type.Integer()) }),
    report: Type.Object({ url: Type.String(), file: FileRef() }),
  }),
  async run({ input, files, signal, progress, log, output }) {
    const { source: ref, missing, delimiter, header } = input;
    const source = await openSource(ref, { files, signal, maxBytes: MAX_BYTES });
    let nextLook = FIRST_LOOK_ROWS;
    const profile = await profileCsv(source, {
      known: { delimiter, header },
      missing,
      signal,
      onRead({ bytes, rows, columns }) {
        progress(source.sizeBytes ? bytes / source.sizeBytes : 0, `${rows} rows, ${megabytes(bytes)} MB`);
        if (rows < nextLook) return;
        nextLook = rows * 10;
        output({ rows, columns: columns.slice(0, RESULT_COLUMNS).map(firstLook) });
      },
    });
    const { rows, columns, ragged } = profile;
    progress(1, `${rows} rows`);
    log(`${source.name}: ${rows} rows, ${columns.length} columns, ${profile.encoding}`);
    if (ragged.rows > 0) log(`${ragged.rows} rows of another length, the first in line ${ragged.lines[0]}`);

    const name = `${parse(source.name).name}.profile.json`;
    const report = await files.save(Buffer.from(JSON.stringify(profile)), { name, contentType: 'application/json' });
    return {
      ...profile,
      columns: columns.length > RESULT_COLUMNS ? columns.map(shortened) : columns,
      report: { url: fileUrl(report.id), file: fileRef(report.id) },
    };
  },
});

function firstLook({ name, type, missing }: Pick<ColumnProfile, 'name' | 'type' | 'missing'>) {
  return { name, type, missing };
}

function shortened({ name, type, missing, distinct }: ColumnProfile) {
  return { name, type, missing, distinct };
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
