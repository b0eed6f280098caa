import { ApiError, type Client, type Job, type JobType } from '@spillway/client';
import { useEffect, useState } from 'preact/hooks';
import { JobForm } from './job-form.tsx';
import { planForm } from './plan.ts';

/** A job whose type and input the form is to start from. */
export interface Template {
  type: string;
  input: unknown;
  /** Grows with each use: the same job may be taken as a template again. */
  revision: number;
}

interface SubmitPanelProps {
  client: Client;
  template: Template | undefined;
  onSubmitted: (job: Job) => void;
  onDenied: () => void;
}

/** Types are registered by workers as they start, so an empty or short list is asked for again. */
const REFRESH_MS = 5_000;

export function SubmitPanel({ client, template, onSubmitted, onDenied }: SubmitPanelProps) {
  const types = useTypes(client, onDenied);
  const [chosen, setChosen] = useState<string | undefined>();
  useEffect(() => {
    if (template) setChosen(template.type);
  }, [template]);
  const type = types?.find(({ type: name }) => name === chosen) ?? easiest(types ?? []);
  const given = template && template.type === type?.type ? template : undefined;
  return (
    <section class="panel submit" aria-labelledby="submit-heading">
      <h2 id="submit-heading">New job</h2>
      {types?.length === 0 && <NoTypes />}
      {types && type && (
        <>
          <TypePicker types={types} chosen={type.type} onChoose={setChosen} />
          <JobForm
            // What stands in a form belongs to one schema and one start.
            key={`${given?.revision ?? 0} ${JSON.stringify(type)}`}
            client={client}
            type={type}
            start={given?.input}
            onSubmitted={onSubmitted}
            onDenied={onDenied}
          />
        </>
      )}
    </section>
  );
}

/** The first type that can be submitted as its form comes up, so that the first click is a job that runs. */
function easiest(types: readonly JobType[]): JobType | undefined {
  const ready = types.find(({ input }) => {
    const form = planForm(input);
    return form.kind === 'group' && form.fields.every(({ required, fallback }) => !required || fallback !== undefined);
  });
  return ready ?? types[0];
}

function useTypes(client: Client, onDenied: () => void): readonly JobType[] | undefined {
  const [types, setTypes] = useState<readonly JobType[] | undefined>();
  useEffect(() => {
    let known = '';
    const read = async () => {
      if (document.visibilityState === 'hidden') return;
      const now = await client.types();
      // The same answer must not draw the form anew while somebody types in it.
      if (JSON.stringify(now) === known) return;
      known = JSON.stringify(now);
      setTypes(now.toSorted((a, b) => a.type.localeCompare(b.type)));
    };
    const attempt = () =>
      void read().catch((error: unknown) => {
        // Everything else is shown by the connection's state, and tried again.
        if (error instanceof ApiError && error.status === 401) onDenied();
      });
    attempt();
    const timer = setInterval(attempt, REFRESH_MS);
    return () => clearInterval(timer);
  }, [client]);
  return types;
}

function NoTypes() {
  return (
    <div class="empty">
      <p>No job types yet.</p>
      <p class="quiet">Types appear here by themselves as soon as a worker starts.</p>
    </div>
  );
}

interface TypePickerProps {
  types: readonly JobType[];
  chosen: string;
  onChoose: (type: string) => void;
}

function TypePicker({ types, chosen, onChoose }: TypePickerProps) {
  return (
    <div class="field">
      <label class="field__label" for="job-type">
        Type
      </label>
      <select
        id="job-type"
        class="control"
        value={chosen}
        onChange={({ currentTarget }) => onChoose(currentTarget.value)}
      >
        {types.map(({ type, title }) => (
          <option key={type} value={type}>
            {title ? `${type} – ${title}` : type}
          </option>
        ))}
      </select>
    </div>
  );
}
