// What both the light part and the store itself state.

/** Shortest lease that makes sense on it, in milliseconds. */
export const MIN_TTL_MS = 500;
