import type { Fault } from './draft.ts';
import type { Field } from './plan.ts';

/** What is wrong with an input, by the field that shows it; `rest` has no field and stands above the form. */
export interface Complaints {
  at: ReadonlyMap<string, string[]>;
  rest: string[];
}

/**
 * Sorts problems to the nearest field that contains their place. `prefix` is the place of the form in the request, e.g.
 * `/input`; problems elsewhere belong to another form. Pure.
 */
export function sortFaults(root: Field, faults: readonly Fault[], prefix: string): Complaints {
  const known = new Set(pointersOf(root));
  const at = new Map<string, string[]>();
  const rest: string[] = [];
  for (const { pointer, message } of faults) {
    if (pointer !== prefix && !pointer.startsWith(`${prefix}/`)) continue;
    const field = nearest(pointer.slice(prefix.length), known);
    const text = sentence(message, prefix + (field ?? ''));
    if (field !== undefined) at.set(field, [...(at.get(field) ?? []), text]);
    else rest.push(text);
  }
  return { at, rest };
}

function nearest(pointer: string, known: ReadonlySet<string>): string | undefined {
  for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if (known.has(at) || known.has(at.replace(/\/\d+$/, '/-'))) return at;
  }
  // An input that is edited as a whole takes all complaints.
  return known.has('') ? '' : undefined;
}

function pointersOf(field: Field): string[] {
  if (field.kind === 'group') return [...(field.pointer ? [field.pointer] : []), ...field.fields.flatMap(pointersOf)];
  return field.kind === 'list' ? [field.pointer, field.item.pointer] : [field.pointer];
}

/** Where it stands, a message need not say how to get there: `place` is left out, what is below it is kept. */
function sentence(message: string, place: string): string {
  const text = message.startsWith(place) ? message.slice(place.length).replace(/^\/|^\s+/, '') : message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
