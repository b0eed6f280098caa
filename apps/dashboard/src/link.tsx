import type { ComponentChildren } from 'preact';
import { hrefOf, type Place } from './address.ts';

export type Go = (place: Place) => void;

interface LinkProps {
  to: Place;
  onGo: Go;
  class?: string;
  title?: string;
  'aria-label'?: string;
  'aria-current'?: boolean | 'page';
  children: ComponentChildren;
}

/** A link within the page. A new tab stays a new tab. */
export function Link({ to, onGo, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onGo(to);
  };
  return <a {...rest} href={hrefOf(to)} onClick={follow} />;
}
