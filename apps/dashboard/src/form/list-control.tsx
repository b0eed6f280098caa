import type { ComponentChildren } from 'preact';
import type { Draft } from './draft.ts';
import type { ControlAttributes, FieldProps } from './field-view.tsx';
import type { Field } from './plan.ts';

type ItemProps = FieldProps & { attributes: ControlAttributes };

interface ListProps extends FieldProps<Extract<Field, { kind: 'list' }>> {
  attributes: ControlAttributes;
  renderItem: (props: ItemProps) => ComponentChildren;
}

/** Scalars side by side, each with a button that takes it out. */
export function ListControl({ field, draft, onChange, context, attributes, renderItem }: ListProps) {
  const items = Array.isArray(draft) ? draft : [];
  const full = field.most !== undefined && items.length >= field.most;
  const set = (index: number, value: Draft) => onChange(items.with(index, value));
  return (
    <div class={`list ${isNarrow(field.item) ? 'list--narrow' : ''}`}>
      {items.map((item, index) => {
        const pointer = `${field.pointer}/${index}`;
        const complaint = context.complaints.at.get(pointer)?.join(' ');
        return (
          // Items have no identity beside their place.
          <div class="list__item" key={index}>
            {renderItem({
              field: { ...field.item, pointer, title: `${field.title} ${index + 1}` },
              draft: item,
              onChange: (value) => set(index, value),
              context,
              attributes: itemAttributes(`${attributes.id}-${index}`, complaint),
            })}
            <button
              class="list__remove"
              type="button"
              aria-label={`Remove ${field.title} ${index + 1}`}
              onClick={() => onChange(items.toSpliced(index, 1))}
            >
              ×
            </button>
            {complaint && (
              <p class="field__complaint" id={`${attributes.id}-${index}-complaint`}>
                {complaint}
              </p>
            )}
          </div>
        );
      })}
      <button class="list__add" type="button" disabled={full} {...attributes} onClick={() => onChange([...items, ''])}>
        + add
      </button>
    </div>
  );
}

function isNarrow(item: Field): boolean {
  return item.kind === 'number' || (item.kind === 'text' && item.short);
}

function itemAttributes(id: string, complaint: string | undefined): ControlAttributes {
  return complaint ? { id, 'aria-invalid': true, 'aria-describedby': `${id}-complaint` } : { id };
}
