/** Makes text that peers chose safe to show: whatever could move the cursor, forge a line or reorder letters is escaped. */

/**
 * C0 and C1 controls, DEL, the separators that some viewers break lines at, marks that turn the direction of writing,
 * the byte order mark, and surrogates without a partner. A tab is escaped too: it would shift the columns.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const ANY_UNSAFE = new RegExp(UNSAFE.source);

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const unicodeEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** `text` on one line, unsafe characters as `\n`, `\x1b` or `\u2028`. A backslash stays as it is; JSON is the exact form. */
export function printable(text: string): string {
  if (!ANY_UNSAFE.test(text)) return text; // nearly always; V8 also remembers what it replaced, and so keeps it alive
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return SHORT[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : unicodeEscape(character));
  });
}

/** `text` as a JSON string that says exactly the same, but with the unsafe characters escaped. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(UNSAFE, unicodeEscape);
}
