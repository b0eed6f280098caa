/** The engine's scripts as it ships them; its package has types for everything but these. */
declare module 'bullmq/dist/cjs/scripts/addDelayedJob-6.js' {
  export const addDelayedJob: { content: string; keys: number };
}
declare module 'bullmq/dist/cjs/scripts/addPrioritizedJob-9.js' {
  export const addPrioritizedJob: { content: string; keys: number };
}
declare module 'bullmq/dist/cjs/scripts/addStandardJob-9.js' {
  export const addStandardJob: { content: string; keys: number };
}
declare module 'bullmq/dist/cjs/scripts/removeJob-2.js' {
  export const removeJob: { content: string; keys: number };
}
