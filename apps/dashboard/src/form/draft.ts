import type { Field } from './plan.ts';

/**
 * What stands in a form's controls: text as it was typed (numbers and JSON too), so that nothing a person types is lost
 * or repaired behind their back. `undefined` is a control that was not touched.
 */
export type Draft = string | boolean | undefined | Draft[] | { [name: string]: Draft };

/** Something that cannot even be sent, at its place. */
export interface Fault {
  pointer: string;
  message: string;
}

/** The draft that a new form starts with: defaults, where the field is sure to be part of the input. */
export function firstDraft(field: Field): Draft {
  if (field.fallback !== undefined) return toDraft(field, field.fallback);
  if (field.kind !== 'group' || !field.required) return undefined;
  return Object.fromEntries(field.fields.map((part) => [part.name, firstDraft(part)]));
}

/** The draft that shows a value. */
export function toDraft(field: Field, value: unknown): Draft {
  if (value === undefined || (value === null && field.kind !== 'json' && field.kind !== 'choice')) return undefined;
  switch (field.kind) {
    case 'text':
    case 'file':
    case 'number':
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
    case 'boolean':
      return value === true;
    case 'choice':
      return JSON.stringify(value);
    case 'choices':
      return Array.isArray(value) ? value.map((choice) => JSON.stringify(choice)) : undefined;
    case 'list':
      return Array.isArray(value) ? value.map((item) => toDraft(field.item, item)) : undefined;
    case 'group': {
      const parts = (typeof value === 'object' ? value : {}) as Record<string, unknown>;
      return Object.fromEntries(field.fields.map((part) => [part.name, toDraft(part, parts[part.name])]));
    }
    case 'json':
      return JSON.stringify(value, null, 2);
  }
}

/**
 * The value that a draft stands for; undefined is left out of the input. Text that is no number is sent as it is: the
 * server's answer says best what was expected. `faults` collects what cannot be sent at all.
 */
export function toValue(field: Field, draft: Draft, faults: Fault[]): unknown {
  switch (field.kind) {
    case 'text':
      return draft === '' || draft === undefined ? (field.required ? '' : undefined) : draft;
    case 'file':
      return draft || undefined;
    case 'number':
      return toNumber(draft);
    case 'boolean':
      return draft ?? (field.required ? false : undefined);
    case 'choice':
      return parseChoice(draft);
    case 'choices':
      return Array.isArray(draft) ? draft.map(parseChoice) : undefined;
    case 'list':
      return Array.isArray(draft) ? listValue(field.item, draft, faults) : undefined;
    case 'group':
      return groupValue(field.fields, draft, field.required, faults);
    case 'json':
      return parseJson(field, draft, faults);
  }
}

function toNumber(draft: Draft): unknown {
  if (typeof draft !== 'string' || draft.trim() === '') return undefined;
  const number = Number(draft);
  return Number.isFinite(number) ? number : draft;
}

function parseChoice(draft: Draft): unknown {
  return typeof draft === 'string' && draft !== '' ? (JSON.parse(draft) as unknown) : undefined;
}

/** Empty items at the end are rows that nobody filled in; one in between is a mistake that the server should name. */
function listValue(item: Field, drafts: readonly Draft[], faults: Fault[]): unknown[] {
  const filled = drafts.findLastIndex((draft) => draft !== '' && draft !== undefined) + 1;
  return drafts.slice(0, filled).map((draft) => toValue(item, draft, faults) ?? '');
}

/** A group that need not be there, and in which nothing was filled in, is left out. */
function groupValue(fields: readonly Field[], draft: Draft, required: boolean, faults: Fault[]): unknown {
  const drafts = (draft ?? {}) as Record<string, Draft>;
  if (!required && !isFilled(drafts)) return undefined;
  const parts = fields.map((part) => [part.name, toValue(part, drafts[part.name], faults)] as const);
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined));
}

function isFilled(draft: Draft): boolean {
  if (Array.isArray(draft)) return draft.length > 0;
  if (typeof draft === 'object') return Object.values(draft).some(isFilled);
  return draft !== undefined && draft !== '';
}

function parseJson(field: Field, draft: Draft, faults: Fault[]): unknown {
  if (typeof draft !== 'string' || draft.trim() === '') return undefined;
  try {
    return JSON.parse(draft) as unknown;
  } catch (error) {
    faults.push({ pointer: field.pointer, message: error instanceof Error ? error.message : 'not JSON' });
    return undefined;
  }
}

/** Whether the form can show the whole of a value; what it has no control for would be lost. */
export function canShow(field: Field, value: unknown): boolean {
  return isSame(toValue(field, toDraft(field, value), []), value);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => isSame((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]));
}
