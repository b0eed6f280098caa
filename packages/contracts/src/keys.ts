/** What a key may do. `admin` includes the others. */
export const SCOPES = ['submit', 'read', 'control', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];
