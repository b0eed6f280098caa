import AjvCompiler, { type BuildCompilerFromPool } from '@fastify/ajv-compiler';
import {
  type RouteDefinition,
  type Serializer,
  type SerializerFactory,
  SerializerSelector,
} from '@fastify/fast-json-stringify-compiler';

type CompileCheck = ReturnType<BuildCompilerFromPool>;

const checks = AjvCompiler();

/**
 * Compiles what checks a part of a request when the first such request comes. Of the routes most are not called in a
 * process's first minutes, and compiling all of their schemas ahead took a tenth of the start.
 */
export const lazyValidators: BuildCompilerFromPool = (schemas, options) => {
  const compile = checks(schemas, options);
  return (route) => {
    let check: ReturnType<CompileCheck> | undefined;
    const validate = (value: unknown) => {
      check ??= compile(route);
      const isValid = check(value);
      validate.errors = check.errors;
      return isValid;
    };
    // Where Fastify looks for what was wrong.
    validate.errors = undefined as ReturnType<CompileCheck>['errors'];
    return validate as ReturnType<CompileCheck>;
  };
};

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
