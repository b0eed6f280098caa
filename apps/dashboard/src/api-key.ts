const STORED_AS = 'spillway.key';

/** The key lives as long as the tab: never in the address, never on disk. */
export function readKey(): string | undefined {
  return sessionStorage.getItem(STORED_AS) ?? undefined;
}

export function storeKey(key: string | undefined): void {
  if (key) sessionStorage.setItem(STORED_AS, key);
  else sessionStorage.removeItem(STORED_AS);
}
