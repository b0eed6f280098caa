import { ApiError, type Client, type Job, type JobType, type SubmitOptions } from '@spillway/client';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Complaints, sortFaults } from './complaints.ts';
import { canShow, type Draft, type Fault, firstDraft, toDraft, toValue } from './draft.ts';
import { FieldView, type FormContext } from './field-view.tsx';
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
  const fields = useMemo(() => planForm(type.input), [type]);
  const whole = useMemo((): Field => ({ ...fields, kind: 'json', title: 'Input' }), [fields]);
  const fits = start === undefined || canShow(fields, start);
  const [raw, setRaw] = useState(fields.kind === 'json' || !fits);
  const [draft, setDraft] = useState<Draft>(() => startOf(raw ? whole : fields, start));
  const [options, setOptions] = useState<Draft>();
  const shown = raw ? whole : fields;
  const { submit, busy, faults } = useSubmit({ client, type, input: [shown, draft], options, onSubmitted, onDenied });
  const complaints = sortFaults(shown, faults, '/input');
  const form = useFocusOnFault(faults);

  const fill = (value: unknown) => {
    const fit = fields.kind !== 'json' && canShow(fields, value);
    setRaw(!fit);
    setDraft(toDraft(fit ? fields : whole, value));
  };
  return (
    <form class="form" ref={form} noValidate onSubmit={submit}>
      {type.description && <p class="form__about">{type.description}</p>}
      <Examples type={type} onChoose={fill} />
      <Problems complaints={complaints} />
      <Controls
        key={String(raw)}
        field={shown}
        draft={draft}
        onChange={setDraft}
        context={{ client, complaints, onDenied }}
      />
      <details class="form__more">
        <summary>Options</summary>
        <Controls
          field={OPTIONS}
          draft={options}
          onChange={setOptions}
          context={{ client, complaints: sortFaults(OPTIONS, faults, '/options'), onDenied }}
        />
      </details>
      <div class="form__foot">
        <button class="button button--main" type="submit" disabled={busy}>
          {busy ? 'Submitting…' : 'Submit job'}
        </button>
        {fields.kind !== 'json' && (
          <button class="button button--quiet" type="button" onClick={() => switchTo(!raw)}>
            {raw ? 'Edit as form' : 'Edit as JSON'}
          </button>
        )}
      </div>
    </form>
  );

  function switchTo(json: boolean): void {
    const spoiled: Fault[] = [];
    const value = toValue(shown, draft, spoiled);
    // Text that is not JSON stays where it can be mended.
    if (spoiled.length > 0 || (!json && value !== undefined && !canShow(fields, value))) return;
    setRaw(json);
    setDraft(toDraft(json ? whole : fields, value));
  }
}

function startOf(field: Field, start: unknown): Draft {
  return start === undefined ? firstDraft(field) : toDraft(field, start);
}

interface Submission {
  client: Client;
  type: JobType;
  input: [field: Field, draft: Draft];
  options: Draft;
  onSubmitted: (job: Job) => void;
  onDenied: () => void;
}

function useSubmit({ client, type, input: [field, draft], options, onSubmitted, onDenied }: Submission) {
  const [busy, setBusy] = useState(false);
  const [faults, setFaults] = useState<readonly Fault[]>([]);

  const send = async () => {
    const spoiled: Fault[] = [];
    const input = toValue(field, draft, spoiled);
    const chosen = toValue(OPTIONS, options, spoiled) as SubmitOptions | undefined;
    if (spoiled.length > 0) return setFaults(spoiled.map((fault) => ({ ...fault, pointer: `/input${fault.pointer}` })));
    setBusy(true);
    try {
      const { links: _links, ...job } = await client.submit(type.type, input, chosen);
      setFaults([]);
      onSubmitted({ ...job, input });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return onDenied();
      setFaults(faultsOf(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (!busy) void send();
  };
  return { submit, busy, faults };
}

function faultsOf(error: unknown): Fault[] {
  if (error instanceof ApiError && error.errors.length > 0) return [...error.errors];
  return [{ pointer: '/input', message: error instanceof Error ? error.message : String(error) }];
}

/** After a refused submit, the first control with a complaint gets the focus. */
function useFocusOnFault(faults: readonly Fault[]) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (faults.length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [faults]);
  return form;
}

function Problems({ complaints: { at, rest } }: { complaints: Complaints }) {
  if (at.size === 0 && rest.length === 0) return <div role="alert" />;
  return (
    <div class="notice notice--bad" role="alert">
      {rest.length > 0 ? rest.map((message) => <p key={message}>{message}</p>) : <p>{countOf(at.size)}</p>}
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
  const drafts = (draft ?? {}) as Record<string, Draft>;
  return (
    <div class="fields">
      {field.fields.map((part) => (
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
