import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { lazySerializers, lazyValidators } from '../src/plugins/lazy-compilers.ts';

const route = {
  method: 'GET',
  url: '/',
  httpStatus: '200',
  schema: { type: 'object', properties: { id: { type: 'string' } } },
};

test('a reply is written as by the compiler itself, each time', () => {
  const lazy = lazySerializers()(route);
  const reply = { id: 'a', secret: 'b' };
  expect([lazy(reply), lazy(reply)]).toEqual(['{"id":"a"}', '{"id":"a"}']);
  expect(lazy(reply)).toBe(SerializerSelector()()(route)(reply));
});

test('a schema that cannot be compiled is nobody’s trouble before its reply is written', () => {
  const lazy = lazySerializers()({ ...route, schema: { type: 'nothing' } });
  expect(() => lazy({})).toThrow(/type/);
});

test('a request is checked each time, and what is wrong with it is told', () => {
  const check = lazyValidators({}, { customOptions: {} })(route);
  expect([check({ id: 'a' }), check.errors]).toEqual([true, null]);
  expect(check({ id: {} })).toBe(false);
  expect(check.errors).toEqual([expect.objectContaining({ instancePath: '/id', keyword: 'type' })]);
  expect([check({ id: 'b' }), check.errors]).toEqual([true, null]);
});

test('a schema that cannot be compiled is nobody’s trouble before a request is checked by it', () => {
  const check = lazyValidators({}, { customOptions: {} })({ ...route, schema: { type: 'nothing' } });
  expect(() => check({})).toThrow(/type/);
});
