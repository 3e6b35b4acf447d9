/** Whatever was thrown or rejected with, as an error. */
export const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
