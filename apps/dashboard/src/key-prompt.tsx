import { useEffect, useRef, useState } from 'preact/hooks';
import { Mark } from './header.tsx';

/** Asks for an API key; shown instead of the page while the server lets nobody in without one. */
export function KeyPrompt({ refused, onKey }: { refused: boolean; onKey: (key: string) => void }) {
  const [key, setKey] = useState('');
  const control = useRef<HTMLInputElement>(null);
  useEffect(() => control.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    if (key.trim()) onKey(key.trim());
  };
  return (
    <main class="gate">
      <form class="gate__form" onSubmit={submit}>
        <Mark />
        <h1>Spillway</h1>
        <p>{refused ? 'The server does not know this key. Try another one.' : 'The server asks for a key.'}</p>
        <label class="field__label" for="api-key">
          API key
        </label>
        <input
          id="api-key"
          ref={control}
          class="control"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          aria-invalid={refused}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
        <button class="button button--main" type="submit">
          Go on
        </button>
        <p class="quiet">It is kept in this tab only, until the tab is closed.</p>
      </form>
    </main>
  );
}
