import { existsSync, openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Client } from '@spillway/client';
import { findJsonFault } from './json-fault.ts';
import { UsageError } from './usage-error.ts';

/** A file to upload, and the field of the input that takes its reference. */
export interface FileField {
  field: string;
  path: string;
}

/**
 * The value of `--input`: JSON itself, `@file` or `-` for standard input.
 * @throws UsageError saying where the text stops being JSON.
 */
export async function readInput(source: string | undefined, stdin: NodeJS.ReadableStream): Promise<unknown> {
  if (source === undefined) return undefined;
  if (source === '-') return parseJson(await text(stdin), 'standard input');
  if (source.startsWith('@')) return parseJson(await readNamed(source.slice(1)), source.slice(1));
  return parseJson(source, '--input');
}

/** @throws UsageError where the text is not `field=path` or there is no such file. */
export function parseFileField(argument: string): FileField {
  const equals = argument.indexOf('=');
  const field = argument.slice(0, equals);
  const path = argument.slice(equals + 1);
  if (equals < 1 || !path) throw new UsageError(`--file: expected field=path, e.g. source=photo.jpg, got ${argument}`);
  if (!existsSync(path)) throw new UsageError(`--file ${field}: there is no file ${path}`);
  return { field, path };
}

/** Uploads the files and puts their references where the input wants them. */
export async function attachFiles(client: Client, input: unknown, files: readonly FileField[]): Promise<unknown> {
  let attached = input;
  for (const { field, path } of files) {
    const { ref } = await client.upload(await openAsBlob(path), { name: basename(path) });
    attached = withField(attached, field.split('.'), ref);
  }
  return attached;
}

/** A copy of `value` with `field` set; steps in between are made where they are missing. */
export function withField(value: unknown, [step = '', ...rest]: string[], content: unknown): Record<string, unknown> {
  if (value !== undefined && !isObject(value)) {
    throw new UsageError(`--file: expected an input object that can hold ${step}, got ${JSON.stringify(value)}`);
  }
  return { ...value, [step]: rest.length > 0 ? withField(value?.[step], rest, content) : content };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readNamed(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`--input: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

export function parseJson(source: string, name: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch (cause) {
    const fault = findJsonFault(source);
    throw new UsageError(fault ? describeFault(source, name, fault) : `${name} is not JSON: ${cause}`, { cause });
  }
}

/** How much of a long line is shown on either side of the fault. */
const SHOWN_AROUND = 36;

function describeFault(
  source: string,
  name: string,
  { offset, expected }: { offset: number; expected: string },
): string {
  const before = source.slice(0, offset);
  const line = before.split('\n').length;
  const lineStart = before.lastIndexOf('\n') + 1;
  const lineEnd = source.indexOf('\n', offset);
  const column = offset - lineStart;
  const from = Math.max(lineStart, offset - SHOWN_AROUND);
  const shown = source.slice(from, Math.min(lineEnd < 0 ? source.length : lineEnd, offset + SHOWN_AROUND));
  const found = offset < source.length ? JSON.stringify(source[offset]) : 'the end of the text';
  return [
    `${name} is not JSON: expected ${expected}, got ${found} at line ${line}, column ${column + 1}`,
    `  ${shown.replaceAll('\t', ' ')}`,
    `  ${' '.repeat(offset - from)}^`,
  ].join('\n');
}
