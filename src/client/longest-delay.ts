/** How long a native timer of Node.js can wait: 24.8 days. What is to wait longer is looked at again then. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;
/** In whole seconds. */
export const LONGEST_DELAY_SECONDS = Math.floor(LONGEST_DELAY_MS / 1000);
