/** Makes any text one line that shows on a terminal as what it is. */

/**
 * C0 and C1 controls, DEL, the separators that some viewers break lines at, marks that turn the direction of writing,
 * and the byte order mark. A tab is escaped too: it moves what follows.
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Longest message text, in characters before escaping; holds the longest Pathfinder message. */
export const MAX_TEXT_LENGTH = 131_072;

/** `text` with unsafe characters as `\n`, `\x1b` or `\u2028`; what is too long is cut, and the line says so. */
export function escapeText(text: string): string {
  const cut = text.length > MAX_TEXT_LENGTH;
  const escaped = (cut ? text.slice(0, MAX_TEXT_LENGTH) : text).replace(UNSAFE, escapeCharacter);
  return cut ? `${escaped}… (${text.length - MAX_TEXT_LENGTH} characters more)` : escaped;
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short) return short;
  const hex = character.charCodeAt(0).toString(16);
  return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`;
}
