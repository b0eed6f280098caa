import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { lazySerializers } from '../src/plugins/serializers.ts';

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
