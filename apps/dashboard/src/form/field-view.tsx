import type { Client } from '@spillway/client';
import { useId } from 'preact/hooks';
import type { Complaints } from './complaints.ts';
import type { Draft } from './draft.ts';
import { FileControl } from './file-control.tsx';
import { ListControl } from './list-control.tsx';
import type { Field } from './plan.ts';

export interface FormContext {
  client: Client;
  complaints: Complaints;
  onDenied: () => void;
}

export interface FieldProps<F extends Field = Field> {
  field: F;
  draft: Draft;
  onChange: (draft: Draft) => void;
  context: FormContext;
}

/** What every control carries, so that label, description and complaint belong to it for all readers. */
export interface ControlAttributes {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: true;
  'aria-required'?: true;
}

type Of<K extends Field['kind']> = Extract<Field, { kind: K }>;

/** One field with its label, control, description and complaint. */
export function FieldView(props: FieldProps) {
  const { field, context } = props;
  const id = useId();
  const complaint = context.complaints.at.get(field.pointer)?.join(' ');
  if (field.kind === 'group') return <Group {...props} field={field} complaint={complaint} id={id} />;
  const isSet = field.kind === 'choices' || field.kind === 'list';
  const describedBy = [field.description && `${id}-about`, complaint && `${id}-complaint`].filter(Boolean).join(' ');
  const attributes: ControlAttributes = {
    id,
    ...(describedBy && { 'aria-describedby': describedBy }),
    ...(complaint && { 'aria-invalid': true }),
    ...(isWanted(field) && !isSet && { 'aria-required': true }),
  };
  const Box = isSet ? 'fieldset' : 'div';
  const { 'aria-describedby': about } = attributes;
  return (
    <Box class={`field field--${field.kind}`} {...(isSet && about && { 'aria-describedby': about })}>
      <Label field={field} id={id} as={isSet ? 'legend' : 'label'} />
      <Control {...props} attributes={attributes} />
      {field.description && (
        <p class="field__about" id={`${id}-about`}>
          {field.description}
        </p>
      )}
      <Complaint id={id} text={complaint} />
    </Box>
  );
}

function Complaint({ id, text }: { id: string; text: string | undefined }) {
  if (!text) return null;
  return (
    <p class="field__complaint" id={`${id}-complaint`}>
      {text}
    </p>
  );
}

function Label({ field, id, as }: { field: Field; id: string; as: 'label' | 'legend' }) {
  const hint = hintOf(field);
  const remarks = (
    <>
      {field.title !== field.name && field.name && <code class="field__name">{field.name}</code>}
      {isWanted(field) && <span class="field__required">required</span>}
      {hint && <span class="field__hint">{hint}</span>}
    </>
  );
  if (as === 'legend') {
    return (
      <legend class="field__label">
        <span>{field.title}</span>
        {remarks}
      </legend>
    );
  }
  // Remarks stand beside the label, not in it: a control's name is what it is called, no more.
  return (
    <div class="field__label">
      <label for={id}>{field.title}</label>
      {remarks}
    </div>
  );
}

function isWanted({ required, fallback }: Field): boolean {
  return required && fallback === undefined;
}

/** The limits of a number or list, e.g. `1 – 100`. */
function hintOf(field: Field): string | undefined {
  if (field.kind === 'list' && field.most !== undefined) return `at most ${field.most}`;
  if (field.kind !== 'number') return undefined;
  const { minimum, maximum } = field;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} – ${maximum}`;
  if (minimum !== undefined && minimum !== 0) return `from ${minimum}`;
  return maximum === undefined ? undefined : `up to ${maximum}`;
}

function Control(props: FieldProps & { attributes: ControlAttributes }) {
  const { field } = props;
  switch (field.kind) {
    case 'text':
      return <Text {...props} field={field} />;
    case 'number':
      return <NumberInput {...props} field={field} />;
    case 'boolean':
      return <Switch {...props} />;
    case 'choice':
      return <Choice {...props} field={field} />;
    case 'choices':
      return <Choices {...props} field={field} />;
    case 'list':
      return <ListControl {...props} field={field} renderItem={(item) => <Control {...item} />} />;
    case 'file':
      return <FileControl {...props} />;
    case 'json':
      return <Json {...props} />;
    case 'group':
      return null;
  }
}

type ControlProps<F extends Field = Field> = FieldProps<F> & { attributes: ControlAttributes };

function Text({ field, draft, onChange, attributes }: ControlProps<Of<'text'>>) {
  const common = {
    ...attributes,
    class: 'control',
    value: typeof draft === 'string' ? draft : '',
    placeholder: placeholderOf(field),
  };
  if (field.multiline) {
    return <textarea {...common} rows={4} onInput={({ currentTarget }) => onChange(currentTarget.value)} />;
  }
  return (
    <input
      {...common}
      // Its attribute types have one shape per input type; all of these share the ones used here.
      type={field.input as 'text'}
      autocomplete="off"
      spellcheck={false}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}

/** A text control, because a number control throws away what it does not understand, and then nobody can say what it was. */
function NumberInput({ field, draft, onChange, attributes }: ControlProps<Of<'number'>>) {
  return (
    <input
      {...attributes}
      class="control control--number"
      type="text"
      inputMode={field.integer ? 'numeric' : 'decimal'}
      autocomplete="off"
      value={typeof draft === 'string' ? draft : ''}
      placeholder={placeholderOf(field)}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}

function placeholderOf({ fallback, example }: Field): string {
  const shown = fallback ?? example;
  if (shown === undefined) return '';
  return typeof shown === 'string' ? shown : JSON.stringify(shown);
}

function Switch({ draft, onChange, attributes }: ControlProps) {
  return (
    <input
      {...attributes}
      class="switch"
      type="checkbox"
      checked={draft === true}
      onChange={({ currentTarget }) => onChange(currentTarget.checked)}
    />
  );
}

function Choice({ field, draft, onChange, attributes }: ControlProps<Of<'choice'>>) {
  return (
    <select
      {...attributes}
      class="control"
      value={typeof draft === 'string' ? draft : ''}
      onChange={({ currentTarget }) => onChange(currentTarget.value || undefined)}
    >
      {(!field.required || draft === undefined) && <option value="">–</option>}
      {field.choices.map((choice) => (
        <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
          {wordFor(choice)}
        </option>
      ))}
    </select>
  );
}

function Choices({ field, draft, onChange, attributes }: ControlProps<Of<'choices'>>) {
  const chosen = Array.isArray(draft) ? draft : [];
  // The order of the schema, not of the clicks.
  const toggle = (choice: string, on: boolean) =>
    onChange(
      field.choices
        .map((value) => JSON.stringify(value))
        .filter((value) => (value === choice ? on : chosen.includes(value))),
    );
  return (
    <div class="choices">
      {field.choices.map((value, index) => {
        const choice = JSON.stringify(value);
        return (
          <label key={choice} class="choices__one">
            <input
              type="checkbox"
              {...(index === 0 && attributes)}
              checked={chosen.includes(choice)}
              onChange={({ currentTarget }) => toggle(choice, currentTarget.checked)}
            />
            <span>{wordFor(value)}</span>
          </label>
        );
      })}
    </div>
  );
}

function wordFor(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^\s*$/.test(value) ? JSON.stringify(value) : value;
}

function Json({ field, draft, onChange, attributes }: ControlProps) {
  return (
    <textarea
      {...attributes}
      class="control control--code"
      rows={field.pointer === '' ? 10 : 4}
      spellcheck={false}
      autocomplete="off"
      placeholder={field.pointer === '' ? '{ }' : 'JSON'}
      value={typeof draft === 'string' ? draft : ''}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}

interface GroupProps extends FieldProps<Of<'group'>> {
  complaint: string | undefined;
  id: string;
}

function Group({ field, draft, onChange, context, complaint, id }: GroupProps) {
  return (
    <fieldset class="field field--group">
      <Label field={field} id={id} as="legend" />
      {field.description && <p class="field__about">{field.description}</p>}
      <Complaint id={id} text={complaint} />
      <Fields fields={field.fields} draft={draft} onChange={onChange} context={context} />
    </fieldset>
  );
}

type FieldsProps = Pick<GroupProps, 'draft' | 'onChange' | 'context'> & Pick<GroupProps['field'], 'fields'>;

/** The fields of an object, each with its part of the draft. */
export function Fields({ fields, draft, onChange, context }: FieldsProps) {
  const drafts = (draft ?? {}) as Record<string, Draft>;
  return (
    <div class="fields">
      {fields.map((part) => (
        <FieldView
          key={part.name}
          field={part}
          draft={drafts[part.name]}
          onChange={(next) => onChange({ ...drafts, [part.name]: next })}
          context={context}
        />
      ))}
    </div>
  );
}
