import {
  type RouteDefinition,
  type Serializer,
  type SerializerFactory,
  SerializerSelector,
} from '@fastify/fast-json-stringify-compiler';

/**
 * Compiles what writes a reply when the first such reply is written. A route declares up to ten replies, most of them
 * problems that a process never sends, and compiling all of them ahead took a third of the start.
 */
export const lazySerializers: SerializerFactory = (schemas, options) => {
  const compile = SerializerSelector()(schemas, options);
  return (route: RouteDefinition) => {
    let write: Serializer | undefined;
    return (reply) => {
      write ??= compile(route);
      return write(reply);
    };
  };
};
