import { ApiError, type Client, type Job, type JobType, type SubmitOptions } from '@spillway/client';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Complaints, sortFaults } from './complaints.ts';
import { canShow, type Draft, type Fault, firstDraft, toDraft, toValue } from './draft.ts';
import { Fields, FieldView, type FormContext } from './field-view.tsx';
import { OPTIONS } from './options.ts';
import { type Field, planForm } from './plan.ts';

interface JobFormProps {
  client: Client;
  type: JobType;
  /** The input to start from; the defaults where there is none. */
  start: unknown;
  onSubmitted: (job: Job) => void;
  onDenied: () => void;
}

/** The form for one type's input: a control per field, or the whole input as JSON. */
export function JobForm({ client, type, start, onSubmitted, onDenied }: JobFormProps) {
  const input = useInput(type, start);
  const [options, setOptions] = useState<Draft>();
  const { submit, busy, refusal } = useSubmit({ client, type, input, options, onSubmitted, onDenied });
  const form = useFocusOnFault(refusal.faults);
  const complaints = sortFaults(input.field, refusal.faults, '/input');
  return (
    <form class="form" ref={form} noValidate onSubmit={submit}>
      {type.description && <p class="form__about">{type.description}</p>}
      <Examples type={type} onChoose={input.fill} />
      <Problems complaints={complaints} failure={refusal.failure} />
      <Controls
        key={input.field.kind}
        field={input.field}
        draft={input.draft}
        onChange={input.setDraft}
        context={{ client, complaints, onDenied }}
      />
      <details class="form__more">
        <summary>Options</summary>
        <Controls
          field={OPTIONS}
          draft={options}
          onChange={setOptions}
          context={{ client, complaints: sortFaults(OPTIONS, refusal.faults, '/options'), onDenied }}
        />
      </details>
      <div class="form__foot">
        <button class="button button--main" type="submit" disabled={busy}>
          {busy ? 'Submitting…' : 'Submit job'}
        </button>
        {input.switchView && (
          <button class="button button--quiet" type="button" onClick={input.switchView}>
            {input.field.kind === 'json' ? 'Edit as form' : 'Edit as JSON'}
          </button>
        )}
      </div>
    </form>
  );
}

interface Input {
  /** What is drawn: the type's fields, or one field for the whole input as JSON. */
  field: Field;
  draft: Draft;
  setDraft: (draft: Draft) => void;
  /** Shows a value: in the fields where they can hold all of it, else as JSON. */
  fill: (value: unknown) => void;
  /** Changes between fields and JSON; absent where there are no fields. */
  switchView: (() => void) | undefined;
}

function useInput(type: JobType, start: unknown): Input {
  const fields = useMemo(() => planForm(type.input), [type]);
  const whole = useMemo((): Field => ({ ...fields, kind: 'json', title: 'Input' }), [fields]);
  const fieldFor = (value: unknown) => (fields.kind !== 'json' && canShow(fields, value) ? fields : whole);
  const [{ field, draft }, setShown] = useState(() => {
    if (start === undefined) return { field: fields, draft: firstDraft(fields) };
    const first = fieldFor(start);
    return { field: first, draft: toDraft(first, start) };
  });
  const show = (next: Field, value: unknown) => setShown({ field: next, draft: toDraft(next, value) });
  const switchView = () => {
    const faults: Fault[] = [];
    const value = toValue(field, draft, faults);
    const next = field === fields ? whole : fieldFor(value ?? {});
    // Text that is not JSON, or more than the fields can hold, stays where it can be mended.
    if (faults.length === 0) show(next, value);
  };
  return {
    field,
    draft,
    setDraft: (next) => setShown({ field, draft: next }),
    fill: (value) => show(fieldFor(value), value),
    switchView: fields.kind === 'json' ? undefined : switchView,
  };
}

interface Submission {
  client: Client;
  type: JobType;
  input: Input;
  options: Draft;
  onSubmitted: (job: Job) => void;
  onDenied: () => void;
}

function useSubmit({ client, type, input: { field, draft }, options, onSubmitted, onDenied }: Submission) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>(NOT_REFUSED);

  const send = async () => {
    const spoiled: Fault[] = [];
    const input = toValue(field, draft, spoiled);
    const chosen = toValue(OPTIONS, options, []) as SubmitOptions | undefined;
    if (spoiled.length > 0) {
      return setRefusal({ faults: spoiled.map(({ pointer, message }) => ({ pointer: `/input${pointer}`, message })) });
    }
    setBusy(true);
    try {
      const { links: _links, watch: _watch, ...job } = await client.submit(type.type, input, chosen);
      setRefusal(NOT_REFUSED);
      onSubmitted({ ...job, input });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return onDenied();
      setRefusal(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (!busy) void send();
  };
  return { submit, busy, refusal };
}

/** Why a submit did not go through: what is wrong at places of the forms, and what has no place in them. */
interface Refusal {
  faults: readonly Fault[];
  failure?: string;
}

const NOT_REFUSED: Refusal = { faults: [] };

function refusalOf(error: unknown): Refusal {
  const faults = error instanceof ApiError ? error.errors : [];
  const placed = faults.length > 0 && faults.every(({ pointer }) => /^\/(?:input|options)(?:\/|$)/.test(pointer));
  return placed ? { faults } : { faults, failure: error instanceof Error ? error.message : String(error) };
}

/** After a refused submit, the first control with a complaint gets the focus. */
function useFocusOnFault(faults: readonly Fault[]) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (faults.length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [faults]);
  return form;
}

function Problems({ complaints: { at, rest }, failure }: { complaints: Complaints; failure: string | undefined }) {
  const messages = failure === undefined ? rest : [failure, ...rest];
  // The element stays, so that readers are told when something appears in it.
  if (at.size === 0 && messages.length === 0) return <div role="alert" />;
  return (
    <div class="notice notice--bad" role="alert">
      {messages.length > 0 ? messages.map((message) => <p key={message}>{message}</p>) : <p>{countOf(at.size)}</p>}
    </div>
  );
}

function countOf(fields: number): string {
  return fields === 1 ? 'One field needs another look.' : `${fields} fields need another look.`;
}

function Examples({ type, onChoose }: { type: JobType; onChoose: (value: unknown) => void }) {
  const examples = type.examples ?? [];
  if (examples.length === 0) return null;
  return (
    <p class="form__examples">
      {examples.map((example, index) => (
        <button
          key={JSON.stringify(example)}
          class="button button--quiet"
          type="button"
          title={JSON.stringify(example)}
          onClick={() => onChoose(example)}
        >
          {examples.length === 1 ? 'Fill in the example' : `Example ${index + 1}`}
        </button>
      ))}
    </p>
  );
}

interface ControlsProps {
  field: Field;
  draft: Draft;
  onChange: (draft: Draft) => void;
  context: FormContext;
}

/** The root's fields stand in the form itself; a root of another kind is one field. */
function Controls({ field, draft, onChange, context }: ControlsProps) {
  if (field.kind !== 'group') return <FieldView field={field} draft={draft} onChange={onChange} context={context} />;
  return <Fields fields={field.fields} draft={draft} onChange={onChange} context={context} />;
}
