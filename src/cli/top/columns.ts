/**
 * Text in columns of a terminal. Terminals disagree about what joins several characters into one picture (joiners,
 * variation selectors, skin tones) and about invisible characters, so these are left out; every other character is 0, 1
 * or 2 columns wide in all of them.
 */

import { eastAsianWidth } from "get-east-asian-width";
import { printable } from "../../core/printable.js";

const UNCERTAIN = /[\p{Cf}\p{Variation_Selector}\p{Emoji_Modifier}]/gu;
/** Marks above and below letters, and vowels and finals of Korean syllables. */
const ZERO = /[\p{Mn}\p{Me}\u1160-\u11ff\ud7b0-\ud7ff]/u;
const PLAIN = /^[\x20-\x7e]*$/;
/** Marks that one character may carry; more are left out: a terminal would draw them over the neighbours. */
const MOST_MARKS = 4;

/** What may be shown of a text that a peer chose: no control characters, and only characters whose width is certain. */
export function displayable(text: string): string {
  const safe = printable(text);
  return PLAIN.test(safe) ? safe : safe.replace(UNCERTAIN, "");
}

/** Columns of one character. */
function characterWidth(character: string): number {
  return ZERO.test(character) ? 0 : eastAsianWidth(character.codePointAt(0)!);
}

/** Columns of `text`, which is displayable. */
export function columnsOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += characterWidth(character);
  return columns;
}

/**
 * Exactly `width` columns of displayable `text` from column `from` on, filled up with blanks. Half of a wide character
 * at either edge is a blank.
 */
export function slice(text: string, width: number, from = 0): string {
  if (PLAIN.test(text)) return text.slice(from, from + width).padEnd(width);
  let out = "";
  let at = 0; // column of the text
  let filled = 0;
  let marks = 0;
  for (const character of text) {
    const columns = characterWidth(character);
    if (columns === 0) {
      if (++marks <= MOST_MARKS && filled > 0 && at > from) out += character;
      continue;
    }
    if (at + columns > from + width) break;
    if (at >= from) {
      out += character;
      filled += columns;
      marks = 0;
    } else if (at + columns > from) {
      out += " ";
      filled++;
      marks = MOST_MARKS;
    }
    at += columns;
  }
  return out + " ".repeat(width - filled);
}
