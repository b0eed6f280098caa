import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

export interface Act {
  busy: boolean;
  /** Why the latest one was refused. */
  trouble: string | undefined;
  run(act: () => Promise<unknown>): void;
}

/** One order to the server at a time. */
export function useAct(): Act {
  const [trouble, setTrouble] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const run = (act: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(undefined);
    act()
      .catch((error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  return { busy, trouble, run };
}

/** Buttons in a row. A refusal is shown where it was asked for. */
export function Actions({ act: { trouble }, children }: { act: Act; children: ComponentChildren }) {
  return (
    <div class="actions">
      {children}
      <p class="actions__trouble" role="alert">
        {trouble}
      </p>
    </div>
  );
}

interface ActionProps {
  name: string;
  act: Act;
  onClick: () => void;
  tone?: 'bad';
}

export function Action({ name, act: { busy }, onClick, tone }: ActionProps) {
  return (
    <button class={`button ${tone ? `button--${tone}` : ''}`} type="button" disabled={busy} onClick={onClick}>
      {name}
    </button>
  );
}
