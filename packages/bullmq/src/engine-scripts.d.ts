/** The engine's scripts as it ships them; its package has types for everything but these. */
declare module 'bullmq/dist/esm/scripts/addDelayedJob-6.js' {
  export const addDelayedJob: { content: string; keys: number };
}
declare module 'bullmq/dist/esm/scripts/addPrioritizedJob-9.js' {
  export const addPrioritizedJob: { content: string; keys: number };
}
declare module 'bullmq/dist/esm/scripts/addStandardJob-9.js' {
  export const addStandardJob: { content: string; keys: number };
}
declare module 'bullmq/dist/esm/scripts/moveToActive-11.js' {
  export const moveToActive: { content: string; keys: number };
}
declare module 'bullmq/dist/esm/scripts/moveToFinished-14.js' {
  export const moveToFinished: { content: string; keys: number };
}
declare module 'bullmq/dist/esm/version.js' {
  export const version: string;
}
declare module 'bullmq/dist/esm/scripts/removeJob-2.js' {
  export const removeJob: { content: string; keys: number };
}
