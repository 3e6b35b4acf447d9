/** The known key that an unknown one was probably meant to be. */

/** Keys longer than this are nobody's typing error, and comparing them would only cost time. */
const MAX_COMPARED_LENGTH = 40;

/**
 * The key of `known` that is fewest edits (insert, delete, replace, swap of neighbours) away from `written`, ignoring
 * case and `-` for `_`; `undefined` if none is near enough: one edit in three characters, three at most.
 */
export function nearestKey(written: string, known: readonly string[]): string | undefined {
  if (written.length > MAX_COMPARED_LENGTH) return undefined;
  const spelled = written.toLowerCase().replaceAll("-", "_");
  let best: string | undefined;
  let bestEdits = Math.min(3, Math.max(1, Math.floor(spelled.length / 3))) + 1;
  for (const key of known) {
    const edits = editDistance(spelled, key);
    if (edits < bestEdits) {
      best = key;
      bestEdits = edits;
    }
  }
  return best;
}

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, last[j] + 1, row[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
