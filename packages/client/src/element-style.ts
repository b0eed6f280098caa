/**
 * How <spillway-progress> looks. Every colour and size is a custom property that a page can set on the element or above it;
 * `light-dark` follows the page's `color-scheme`, and that of the system where the page says nothing.
 */
export const STYLE = `
:host {
  display: block;
  color-scheme: var(--spillway-color-scheme, light dark);
  font: inherit;
  font-size: var(--spillway-font-size, 0.875rem);
  line-height: 1.4;
  color: var(--spillway-text, light-dark(#1f2328, #e6e8eb));
}
:host([hidden]) { display: none; }
.line { display: flex; flex-wrap: wrap; gap: 0 1em; justify-content: space-between; margin-block-end: 0.375em; }
[part='label'] { min-width: 0; overflow-wrap: anywhere; }
[part='state'] { color: var(--spillway-quiet, light-dark(#59636e, #9aa4b0)); font-variant-numeric: tabular-nums; }
[part='track'] {
  block-size: var(--spillway-height, 0.5rem);
  border-radius: var(--spillway-radius, 999px);
  background: var(--spillway-track, light-dark(#dfe3e8, #30363d));
  overflow: hidden;
}
[part='bar'] {
  block-size: 100%;
  inline-size: var(--fraction, 0%);
  border-radius: inherit;
  background: var(--spillway-bar, light-dark(#0a66c2, #58a6ff));
  transition: inline-size 0.2s ease-out;
}
:host([state='completed']) [part='bar'] { background: var(--spillway-done, light-dark(#1a7f37, #3fb950)); }
:host([state='failed']) [part='bar'] { background: var(--spillway-failed, light-dark(#c93c37, #f85149)); }
:host([state='cancelled']) [part='bar'] { background: var(--spillway-cancelled, light-dark(#6e7781, #8b949e)); }
.unknown [part='bar'] { inline-size: 30%; animation: pass 1.6s ease-in-out infinite; }
@keyframes pass { from { translate: -100% } to { translate: 333% } }
[role='status'] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
@media (prefers-reduced-motion: reduce) {
  [part='bar'] { transition: none; }
  .unknown [part='bar'] { animation: none; inline-size: 100%; opacity: 0.35; }
}
@media (forced-colors: active) {
  [part='track'] { border: 1px solid CanvasText; }
  [part='bar'] { background: Highlight !important; forced-color-adjust: none; }
}
`;
