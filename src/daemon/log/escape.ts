/** Makes any text one line of the log that shows on a terminal as what it is. */

import { printable } from "../../core/printable.js";

/** Longest message text, in characters before escaping; holds the longest Pathfinder message. */
export const MAX_TEXT_LENGTH = 131_072;

/** `text` with unsafe characters escaped (printable.ts); what is too long is cut, and the line says so. */
export function escapeText(text: string): string {
  return escapeUpTo(MAX_TEXT_LENGTH, text);
}

/** As `escapeText`, but at most `longest` characters of `text`. */
export function escapeUpTo(longest: number, text: string): string {
  const cut = text.length > longest;
  const escaped = printable(cut ? text.slice(0, longest) : text);
  return cut ? `${escaped}… (${text.length - longest} characters more)` : escaped;
}
