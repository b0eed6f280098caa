import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { UnrecoverableJobError } from '@spillway/worker';
import type { ColumnProfile } from '../../src/csv/column.ts';
import type { CsvProfile } from '../../src/csv/profile.ts';
import { csvProfile } from '../../src/jobs/csv-profile.ts';
import { EXAMPLES, runHandler, temporaryFiles } from '../job-context.ts';

let place: Awaited<ReturnType<typeof temporaryFiles>>;
// Settings are read on first use, so the folder that tests write into is named before any handler runs.
beforeAll(async () => {
  place = await temporaryFiles();
  process.env.SPILLWAY_PATHS = `${EXAMPLES},${place.folder}`;
});
afterAll(() => place.dispose());

async function profile(text: string | Buffer, input: object = {}) {
  const { id } = await place.files.save(Buffer.from(text), { name: 'table.csv', contentType: 'text/csv' });
  const run = await runHandler(csvProfile, { source: `file:${id}`, ...input }, place);
  const columns = run.result.columns as ColumnProfile[];
  return { ...run, columns, column: (name: string) => columns.find((column) => column.name === name) };
}

test('profiles a real table', async () => {
  const { result, log, progress } = await runHandler(csvProfile, { source: 'path:penguins.csv' }, place);
  expect(result).toMatchObject({
    rows: 344,
    delimiter: ',',
    header: true,
    encoding: 'utf-8',
    ragged: { rows: 0, lines: [] },
  });
  const columns = result.columns as ColumnProfile[];
  expect(columns).toHaveLength(17);
  const byName = Object.fromEntries(columns.map((column) => [column.name, column]));
  expect(byName['Body Mass (g)']).toEqual({
    name: 'Body Mass (g)',
    type: 'integer',
    missing: 2,
    distinct: 94,
    distinctExact: true,
    min: 2700,
    max: 6300,
    mean: 4201.75,
    stddev: 801.955,
    quantiles: { p5: 3150, p25: 3550, p50: 4050, p75: 4750, p95: 5650 },
    quantilesExact: true,
    topValues: expect.arrayContaining([{ value: '3800', count: 12 }]),
  });
  expect(byName.Sex).toMatchObject({
    type: 'text',
    missing: 11,
    distinct: 2,
    topValues: [
      { value: 'MALE', count: 168 },
      { value: 'FEMALE', count: 165 },
    ],
  });
  expect(byName['Date Egg']).toMatchObject({ type: 'date', from: '2007-11-09', to: '2009-12-01' });
  expect(byName['Clutch Completion']).toMatchObject({
    type: 'boolean',
    topValues: [
      { value: 'Yes', count: 308 },
      { value: 'No', count: 36 },
    ],
  });
  expect(byName['Culmen Length (mm)']).toMatchObject({ type: 'number', min: 32.1, max: 59.6, missing: 2 });
  expect(log).toEqual(['penguins.csv: 344 rows, 17 columns, utf-8']);
  expect(progress.at(-1)).toEqual({ fraction: 1, message: '344 rows' });
  const report = (await json(await place.files.open(result.report.file.slice('file:'.length)))) as CsvProfile;
  expect(report.columns).toEqual(columns);
});

test('counts ragged rows and names their lines', async () => {
  const { result, column } = await profile('a,b,c\n1,2,3\n4,5\n"6\n6",7,8\n9,9,9,9\n');
  expect(result).toMatchObject({ rows: 4, ragged: { rows: 2, lines: [3, 6] } });
  expect(column('c')).toMatchObject({ missing: 1, type: 'integer' });
});

test('reads other delimiters, line ends and encodings, and tables without header', async () => {
  expect((await profile('name;ort\r\nJürgen;Köln\r\n')).columns.map(({ name }) => name)).toEqual(['name', 'ort']);
  const latin1 = await profile(Buffer.from('name;ort\nJürgen;Köln\n', 'latin1'));
  expect(latin1.result.encoding).toBe('windows-1252');
  expect(latin1.column('ort')?.topValues).toEqual([{ value: 'Köln', count: 1 }]);
  const utf16 = await profile(Buffer.from('\ufeffname\tort\nJürgen\tKöln\n', 'utf16le'));
  expect(utf16.result.encoding).toBe('utf-16le');
  expect(utf16.column('name')?.topValues).toEqual([{ value: 'Jürgen', count: 1 }]);
  const bare = await profile('\ufeff1,2\n3,4\n');
  expect(bare.columns.map(({ name, max }) => [name, max])).toEqual([
    ['column 1', 3],
    ['column 2', 4],
  ]);
  expect((await profile('a|b\nc|d\n', { delimiter: '|', header: false })).result.rows).toBe(2);
});

test('counts as missing what it is told to', async () => {
  const table = 'country,size\nNA,1\nFR,-\n,3\n';
  const usual = await profile(table);
  expect([usual.column('country'), usual.column('size')]).toMatchObject([{ missing: 2 }, { missing: 0, type: 'text' }]);
  const told = await profile(table, { missing: ['-'] });
  expect([told.column('country'), told.column('size')]).toMatchObject([
    { missing: 1 },
    { missing: 1, type: 'integer' },
  ]);
});

test('streams a large file, with progress by bytes and a first look early', async () => {
  const file = join(place.folder, 'large.csv');
  await pipeline(Readable.from(rows(60_000)), createWriteStream(file));
  const run = await runHandler(csvProfile, { source: `path:${file}` }, place);
  const columns = run.result.columns as ColumnProfile[];
  expect(run.result.rows).toBe(60_000);
  expect(columns.map(({ type }) => type)).toEqual(['integer', 'text', 'number', 'date']);
  expect(columns[0]).toMatchObject({ min: 0, max: 59_999, distinctExact: false, quantilesExact: false });
  const fractions = run.progress.map(({ fraction }) => fraction);
  expect(fractions.length).toBeGreaterThan(20);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(run.output).toHaveLength(2);
  expect(run.output[0]).toMatchObject({ columns: [{ name: 'id', type: 'integer', missing: 0 }, {}, {}, {}] });
});

function* rows(count: number): Generator<string> {
  yield 'id,customer,amount,day\n';
  for (let i = 0; i < count; i += 1000) {
    let block = '';
    for (let j = i; j < i + 1000; j++) {
      block += `${j},customer ${(j * 7919) % 50_000},${(j % 977) / 4},2024-0${1 + (j % 9)}-1${j % 10}\n`;
    }
    yield block;
  }
}

test('shortens a wide profile in the result and keeps all of it in the report', async () => {
  const names = Array.from({ length: 800 }, (_, i) => `a rather long column name ${i}`);
  const { result, columns } = await profile(`${names.join(',')}\n${names.map((_, i) => i).join(',')}\n`);
  expect(columns).toHaveLength(800);
  expect(columns[7]).toEqual({ name: 'a rather long column name 7', type: 'integer', missing: 0, distinct: 1 });
  expect(JSON.stringify(result).length).toBeLessThan(200_000);
  const report = (await json(await place.files.open(result.report.file.slice('file:'.length)))) as CsvProfile;
  expect(report.columns[7]).toMatchObject({ min: 7, topValues: [{ value: '7', count: 1 }] });
});

test('stops when it is aborted', async () => {
  const controller = new AbortController();
  const setup = { ...place, signal: controller.signal, onProgress: () => controller.abort() };
  await expect(runHandler(csvProfile, { source: 'path:penguins.csv' }, setup)).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test.each([
  ['a photo', 'path:photo.jpg', 'expected a CSV, got photo.jpg, which is binary data, not text'],
  ['an empty file', '', 'expected a CSV, got table.csv, which is empty'],
  [
    'a quote that is never closed',
    'a,b\n1,"2\n3,4\n',
    'Quote Not Closed: the parsing is finished with an opening quote at line 3',
  ],
  [
    'a quote in the middle of a cell',
    'a,b\n1,2\n3,x"y\n',
    'Invalid Opening Quote: a quote is found on field 1 at line 3',
  ],
  ['a row that does not end', `a,b\n"${'x'.repeat(2_000_000)}`, 'Max Record Size'],
  ['too many columns', `${'a,'.repeat(1000)}a\n`, 'expected a CSV of at most 1000 columns, got 1001'],
])('gives up on %s, saying why', async (_what, text, message) => {
  const run = text.startsWith('path:') ? runHandler(csvProfile, { source: text }, place) : profile(text);
  const error: unknown = await run.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
  expect(error).toBeInstanceOf(UnrecoverableJobError);
});
