import type { LogLine } from '@spillway/client';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** The last lines are what matters; a browser slows down long before a log is at its end. */
const LINES_SHOWN = 500;
/** Who is this near to the end wants to stay there. */
const NEAR_END_PX = 24;

export function LogView({ lines }: { lines: readonly LogLine[] }) {
  const box = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const last = lines.at(-1)?.n;
  useLayoutEffect(() => {
    if (atEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [last]);
  const onScroll = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  };
  const hidden = Math.max(0, lines.length - LINES_SHOWN);
  return (
    <>
      {hidden > 0 && <p class="quiet">{hidden.toLocaleString('en')} earlier lines are not shown.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <ol class="log" ref={box} tabIndex={0} aria-label="Log" onScroll={onScroll}>
        {lines.slice(-LINES_SHOWN).map(({ n, line }) => (
          <li key={n} class="log__line">
            <span class="log__n" aria-hidden="true">
              {n}
            </span>
            <span class="log__text">{line}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
