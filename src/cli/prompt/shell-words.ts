/** Splits a line into words as a POSIX shell does, letter by letter like Python's `shlex.split`, which the reference uses. */

import { UsageError } from "../usage-error.js";

const BLANKS = " \t\r\n";

/**
 * `'…'` keeps everything; `"…"` keeps everything but `\"` and `\\`; a backslash elsewhere keeps the next character. No
 * variables, patterns or comments. Throws a `UsageError` at the end of an open quote or a lone backslash.
 */
export function splitShellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    const escapes = character === "\\" && quote !== "'";
    if (escapes) {
      const next = line[++i];
      if (next === undefined) throw new UsageError(["No escaped character."]);
      const keepsBackslash = quote === '"' && next !== '"' && next !== "\\";
      word = (word ?? "") + (keepsBackslash ? character : "") + next;
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (!BLANKS.includes(character)) {
      word = (word ?? "") + character;
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (quote !== "") throw new UsageError(["No closing quotation."]);
  if (word !== undefined) words.push(word);
  return words;
}
