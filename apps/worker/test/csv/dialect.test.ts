import { detectDialect } from '../../src/csv/dialect.ts';

test.each([
  ['commas', 'name,age\nAnn,44\nBob,51\n', { delimiter: ',', header: true }],
  ['semicolons with decimal commas', 'name;size\nAnn;1,72\nBob;1,81\n', { delimiter: ';', header: true }],
  ['tabs with commas inside', 'name\ttext\nAnn\ta, b\nBob\tc, d, e\n', { delimiter: '\t', header: true }],
  ['pipes', 'a|b|c\n1|2|3\n', { delimiter: '|', header: true }],
  ['quoted delimiters', '"a;b",c\n"d;e",f\n"g;h;i",j\n', { delimiter: ',', header: true }],
  ['one column', 'name\nAnn\nBob\n', { delimiter: ',', header: true }],
  ['no header', '1,Ann\n2,Bob\n', { delimiter: ',', header: false }],
  ['a first row with a gap', 'a,,c\n1,2,3\n', { delimiter: ',', header: false }],
  ['a first row that repeats itself', 'x,x\ny,z\n', { delimiter: ',', header: false }],
  ['a last line that is cut off', 'a,b,c\n1,2,3\n4,"5', { delimiter: ',', header: true }],
  ['rows that are ragged', 'a,b,c\n1,2,3\n1,2\n1,2,3\n', { delimiter: ',', header: true }],
])('tells %s', (_what, head, expected) => {
  expect(detectDialect(head)).toEqual(expected);
});

test('takes what is known as it is', () => {
  expect(detectDialect('a,b\n1,2\n', { delimiter: ';', header: false })).toEqual({ delimiter: ';', header: false });
});
