/** Prose in lines that are no longer than the terminal is wide. */

/** Breaks between words; the lines that `text` has stay. A word that is longer than `width` has a line of its own. */
export function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const lines: string[] = [];
    let current: string | undefined;
    for (const word of line.split(" ")) {
      if (current !== undefined && current.length + 1 + word.length > width) {
        lines.push(current);
        current = word;
      } else {
        current = current === undefined ? word : `${current} ${word}`;
      }
    }
    return [...lines, current ?? ""];
  });
}
