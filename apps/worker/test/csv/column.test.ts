import { Column } from '../../src/csv/column.ts';
import { DistinctValues } from '../../src/csv/distinct.ts';
import { columnType, type Kind, kindOf } from '../../src/csv/kind.ts';
import { NumberSeries } from '../../src/csv/numbers.ts';

test.each<[string, Kind]>([
  ['0', 'integer'],
  ['-12', 'integer'],
  ['+7', 'integer'],
  ['1.5', 'number'],
  ['.5', 'number'],
  ['-1e-3', 'number'],
  ['0.5', 'number'],
  ['01067', 'text'],
  ['1,5', 'text'],
  ['1 000', 'text'],
  ['0x10', 'text'],
  ['Infinity', 'text'],
  ['true', 'boolean'],
  ['No', 'boolean'],
  ['2024-02-29', 'date'],
  ['2024-02-29 12:30', 'date'],
  ['2024-02-29T12:30:00.123Z', 'date'],
  ['2024-02-29T12:30:00+02:00', 'date'],
  ['2024-13-01', 'text'],
  ['29.02.2024', 'text'],
  ['9'.repeat(50), 'text'],
])('takes the cell %s for %s', (cell, kind) => expect(kindOf(cell)).toBe(kind));

test.each<[Kind[], string]>([
  [[], 'empty'],
  [['integer'], 'integer'],
  [['integer', 'number'], 'number'],
  [['date'], 'date'],
  [['integer', 'date'], 'text'],
  [['boolean', 'text'], 'text'],
])('takes a column of %j for %s', (kinds, type) => expect(columnType(new Set(kinds))).toBe(type));

test('sums numbers up exactly while they are few', () => {
  const series = new NumberSeries();
  for (const value of [4, 8, 15, 16, 23, 42]) series.add(value);
  expect(series.summary()).toEqual({
    min: 4,
    max: 42,
    mean: 18,
    stddev: 13.4907,
    quantiles: { p5: 5, p25: 9.75, p50: 15.5, p75: 21.25, p95: 37.25 },
    quantilesExact: true,
  });
  expect(new NumberSeries().summary()).toBeUndefined();
});

test('samples when there are many, near the truth and the same every time', () => {
  const summary = () => {
    const series = new NumberSeries();
    for (let i = 0; i < 50_000; i++) series.add((i * 7919) % 50_000);
    return series.summary();
  };
  const found = summary();
  expect(found).toMatchObject({ min: 0, max: 49_999, mean: 24_999.5, quantilesExact: false });
  expect(Math.abs((found?.quantiles.p50 ?? 0) - 25_000)).toBeLessThan(2000);
  expect(Math.abs((found?.quantiles.p95 ?? 0) - 47_500)).toBeLessThan(1000);
  expect(summary()).toEqual(found);
});

test('counts different values exactly up to the limit and says when it estimates', () => {
  const values = new DistinctValues(1000);
  for (let i = 0; i < 3000; i++) values.add(`value ${i % 1000}`);
  expect(values).toMatchObject({ size: 1000, exact: true });
  values.add('one more');
  expect(values.exact).toBe(false);
  expect(values.top(1)).toEqual([{ value: 'value 0', count: 3 }]);
});

test.each([5000, 100_000])('estimates %i different values within 5 %%', (count) => {
  for (const spell of [
    (i: number) => String(i),
    (i: number) => `customer-${i}@example.com`,
    (i: number) => `2024-${i}`,
  ]) {
    const values = new DistinctValues(100);
    for (let i = 0; i < count; i++) values.add(spell(i));
    expect(Math.abs(values.size - count) / count).toBeLessThan(0.05);
  }
});

test('a column of dates knows its first and last day', () => {
  const column = new Column('when', 10);
  for (const cell of ['2024-05-01', '2023-12-31T23:00:00Z', '2024-05-01']) column.add(cell);
  expect(column.profile()).toEqual({
    name: 'when',
    type: 'date',
    missing: 0,
    distinct: 2,
    distinctExact: true,
    from: '2023-12-31',
    to: '2024-05-01',
    topValues: [
      { value: '2024-05-01', count: 2 },
      { value: '2023-12-31T23:00:00Z', count: 1 },
    ],
  });
});
