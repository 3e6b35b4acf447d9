/** Columns of text: what a terminal shows for it, and slices that are exactly as wide as asked. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { columnsOf, displayable, slice } from "../../../src/cli/top/columns.js";

/** Text of a peer, what is shown of it, its columns. */
const WIDTHS: readonly (readonly [string, string, number])[] = [
  ["", "", 0],
  ["plain", "plain", 5],
  ["日本語", "日本語", 6],
  ["한국", "한국", 4],
  ["\u1112\u1161\u11ab", "\u1112\u1161\u11ab", 2], // one syllable of three letters
  ["ｗｉｄｅ", "ｗｉｄｅ", 8],
  ["e\u0301t\u00e9", "e\u0301t\u00e9", 3],
  ["\u{1f600}", "\u{1f600}", 2],
  ["\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", "\u{1f468}\u{1f469}\u{1f467}", 6], // a family, told apart
  ["\u2764\ufe0f", "\u2764", 1],
  ["\u{1f44d}\u{1f3fd}", "\u{1f44d}", 2],
  ["a\u00adb\u200bc", "abc", 3],
  ["\x1b[2J\n\t", "\\x1b[2J\\n\\t", 11],
  ["\u202eevil", "\\u202eevil", 10],
  ["\ud800", "\\ud800", 6],
  ["½±→Ω", "½±→Ω", 4],
];

test("what is shown of a text, and its columns", () => {
  for (const [text, shown, columns] of WIDTHS) {
    assert.is(displayable(text), shown, JSON.stringify(text));
    assert.is(columnsOf(shown), columns, JSON.stringify(text));
  }
});

/** Text, width, first column, slice. */
const SLICES: readonly (readonly [string, number, number, string])[] = [
  ["abcdef", 3, 0, "abc"],
  ["abcdef", 3, 4, "ef "],
  ["abc", 5, 9, "     "],
  ["", 0, 0, ""],
  ["abc", 0, 0, ""],
  ["日本語", 6, 0, "日本語"],
  ["日本語", 5, 0, "日本 "],
  ["日本語", 1, 0, " "],
  ["日本語", 4, 1, " 本 "],
  ["日本語", 4, 2, "本語"],
  ["日本語", 8, 3, " 語     "],
  ["e\u0301a", 1, 0, "e\u0301"],
  ["xe\u0301a", 2, 1, "e\u0301a"],
  ["e\u0301a", 2, 1, "a "],
  [`e${"\u0301".repeat(9)}`, 1, 0, `e${"\u0301".repeat(4)}`],
  ["\u0301x", 2, 0, "x "],
];

test("slices", () => {
  for (const [text, width, from, expected] of SLICES) {
    assert.is(slice(text, width, from), expected, `${text} from ${from}`);
    assert.is(columnsOf(slice(text, width, from)), width);
  }
});

test("every slice of every text is as wide as asked", () => {
  const texts = WIDTHS.map(([text]) => displayable(text));
  for (const text of [...texts, texts.join("")]) {
    for (let width = 0; width < 12; width++) {
      for (let from = 0; from < 12; from++) assert.is(columnsOf(slice(text, width, from)), width, `${text} ${from}`);
    }
  }
});

test.run();
