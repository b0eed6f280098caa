/**
 * Compares two stream positions (`<milliseconds>-<sequence>`): negative when `a` comes first. Both parts are compared as
 * numbers by length and digits, because a sequence may pass 2^53.
 */
export function comparePositions(a: string, b: string): number {
  const [aMs = '', aSeq = ''] = a.split('-');
  const [bMs = '', bSeq = ''] = b.split('-');
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
