import { createClient, type Job } from '@spillway/client';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { type Place, placeIn, setPlace } from './address.ts';
import { readKey, storeKey } from './api-key.ts';
import { BatchPanel } from './batches/batch-panel.tsx';
import { Board } from './board.ts';
import { SubmitPanel, type Template } from './form/submit-panel.tsx';
import { Header } from './header.tsx';
import { useBoard } from './hooks.ts';
import { JobList } from './jobs/job-list.tsx';
import { OpenedPanel } from './jobs/opened-panel.tsx';
import { KeyPrompt } from './key-prompt.tsx';
import { QueuesView } from './queues/queues-view.tsx';

/** The page's own folder is where api answers, also under a proxy's path. */
const BASE_URL = new URL('.', location.href).href;

/** Everything below belongs to one key; another key is another client, and all state starts over. */
export function App() {
  const [key, setKey] = useState(readKey);
  const [denied, setDenied] = useState(false);
  const change = (next: string | undefined) => {
    storeKey(next);
    setKey(next);
    setDenied(false);
  };
  if (denied) return <KeyPrompt refused={key !== undefined} onKey={change} />;
  return <Page key={key ?? ''} apiKey={key} onDenied={() => setDenied(true)} onForget={() => change(undefined)} />;
}

interface PageProps {
  apiKey: string | undefined;
  onDenied: () => void;
  onForget: () => void;
}

function Page({ apiKey, onDenied, onForget }: PageProps) {
  const client = useMemo(() => createClient({ baseUrl: BASE_URL, key: apiKey }), [apiKey]);
  const board = useMemo(() => new Board(client, { onDenied }), [client]);
  const [template, setTemplate] = useState<Template | undefined>();
  const [place, go] = usePlace(board);
  const view = useBoard(board);
  const submitted = (job: Job) => {
    go({ kind: 'job', id: job.id });
    board.add(job);
  };
  const header = (
    <Header
      client={client}
      view={view}
      place={place}
      onGo={go}
      onForget={apiKey === undefined ? undefined : onForget}
    />
  );
  if (place.kind === 'queues') {
    return (
      <>
        {header}
        <QueuesView client={client} board={board} view={view} onGo={go} onDenied={onDenied} />
      </>
    );
  }
  return (
    <>
      {header}
      <main class="columns">
        <SubmitPanel client={client} template={template} onSubmitted={submitted} onDenied={onDenied} />
        <div class="jobs">
          {view.opened && (
            <OpenedPanel
              key={view.opened.id}
              client={client}
              authorized={apiKey !== undefined}
              board={board}
              opened={view.opened}
              onGo={go}
              onReuse={({ type, input }) =>
                setTemplate((last) => ({ type, input, revision: (last?.revision ?? 0) + 1 }))
              }
            />
          )}
          {place.kind === 'batch' && (
            <BatchPanel key={place.id} client={client} id={place.id} onGo={go} onDenied={onDenied} />
          )}
          <JobList board={board} view={view} onGo={go} />
        </div>
      </main>
    </>
  );
}

/** Where the page is, and what leads elsewhere. Starts the board, follows the address and the tab's visibility, and ends it all with the page. */
function usePlace(board: Board): [place: Place, go: (place: Place) => void] {
  const [place, setShown] = useState<Place>({ kind: 'jobs' });
  const show = (next: Place) => {
    setShown(next);
    board.open(next.kind === 'job' ? next.id : undefined);
  };
  useEffect(() => {
    const followAddress = () => show(placeIn(location.search));
    const lookAgain = () => void board.refresh();
    followAddress();
    board.start();
    addEventListener('popstate', followAddress);
    document.addEventListener('visibilitychange', lookAgain);
    return () => {
      removeEventListener('popstate', followAddress);
      document.removeEventListener('visibilitychange', lookAgain);
      board.close();
    };
  }, [board]);
  const go = (next: Place) => {
    setPlace(next);
    show(next);
  };
  return [place, go];
}
