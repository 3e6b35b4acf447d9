/** Names in as few rows as the width allows, filled column by column, as Python's `cmd` lists its commands. */

const GAP = 2;

export function columns(names: readonly string[], width: number): string[] {
  for (let rows = 1; rows < names.length; rows++) {
    const widths: number[] = [];
    for (let at = 0; at < names.length; at += rows) {
      widths.push(Math.max(...names.slice(at, at + rows).map((name) => name.length)));
    }
    const total = widths.reduce((sum, column) => sum + column + GAP, -GAP);
    if (total > width) continue;
    return Array.from({ length: rows }, (_, row) => {
      const inRow = names.filter((_name, i) => i % rows === row);
      return inRow.map((name, i) => name.padEnd(widths[i])).join(" ".repeat(GAP));
    });
  }
  return [...names];
}
