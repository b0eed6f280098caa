import { type Debugger, type InspectorNotification, Session, url } from 'node:inspector';
import { pathToFileURL } from 'node:url';
import { RUNNING_HERE, type RunningHere } from './watch.ts';

/** One function that the main thread is in, innermost first. */
export interface Frame {
  name: string;
  url: string;
  line: number;
}

/** What the main thread was at when it was stopped. */
export interface Look {
  frames: Frame[];
  running: RunningHere[];
}

/** A thread that is in native code, such as a synchronous call of the system, cannot be stopped. Otherwise it took 120 ms of CPU, for a list of all loaded modules. */
const STOP_WITHIN_MS = 5000;
const NOTHING: Look = { frames: [], running: [] };

/**
 * Stops the main thread for a moment, wherever it is, and tells which functions it is in and which jobs it runs. Costs
 * nothing until then. Finds nothing where the thread cannot be stopped, and beside a debugger, whose user may have
 * stopped it on purpose.
 */
export async function lookAtMainThread(): Promise<Look> {
  if (url() || process.execArgv.some((argument) => argument.startsWith('--inspect'))) return NOTHING;
  const session = new Session();
  try {
    session.connectToMainThread();
    return await Promise.race([stopAndLook(session), nothingFor(STOP_WITHIN_MS)]);
  } catch {
    return NOTHING;
  } finally {
    // Lets the thread go on, also where it was stopped too late.
    session.disconnect();
  }
}

function stopAndLook(session: Session): Promise<Look> {
  // Frames name their script by a number, which is explained for each script when debugging begins.
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }: InspectorNotification<Debugger.ScriptParsedEventDataType>) =>
    files.set(params.scriptId, params.url),
  );
  return new Promise((resolve) => {
    session.once('Debugger.paused', ({ params }: InspectorNotification<Debugger.PausedEventDataType>) => {
      const frames = params.callFrames.map((frame) => readFrame(frame, files));
      const expression = `globalThis[Symbol.for('${RUNNING_HERE}')]?.()`;
      const callFrameId = params.callFrames[0]?.callFrameId ?? '';
      session.post('Debugger.evaluateOnCallFrame', { callFrameId, expression }, (error, answer) => {
        session.post('Debugger.resume');
        const running = !error && typeof answer.result.value === 'string' ? JSON.parse(answer.result.value) : [];
        resolve({ frames, running });
      });
    });
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  });
}

function readFrame({ functionName, location }: Debugger.CallFrame, files: ReadonlyMap<string, string>): Frame {
  return { name: functionName, url: files.get(location.scriptId) ?? '', line: location.lineNumber + 1 };
}

function nothingFor(ms: number): Promise<Look> {
  return new Promise((resolve) => setTimeout(resolve, ms, NOTHING));
}

/** Most jobs that are named: their ids stand in a log line and in the list of workers. */
const JOBS_MAX = 10;

/**
 * Who may block the loop: the jobs of the types whose files are on the stack, or all that run where it names none. A type
 * is told where they are all of one. Pure.
 */
export function suspects(
  { frames, running }: Look,
  types: readonly { type: string; file: string | undefined }[],
): { type?: string; jobs: string[] } {
  const onStack = typesOnStack(frames, types);
  const jobs = running.filter(({ type }) => onStack.length === 0 || onStack.includes(type));
  const [type, ...others] = new Set(jobs.map((job) => job.type));
  return { ...(type && others.length === 0 && { type }), jobs: jobs.slice(0, JOBS_MAX).map(({ id }) => id) };
}

/** The types whose files are on the stack; several types may share one. */
function typesOnStack(
  frames: readonly Frame[],
  types: readonly { type: string; file: string | undefined }[],
): string[] {
  const files = new Set(frames.map((frame) => frame.url.split('?')[0]));
  // A CommonJS module goes by its path.
  return types.flatMap(({ type, file }) =>
    file && (files.has(pathToFileURL(file).href) || files.has(file)) ? type : [],
  );
}
