/** Names in as few rows as the width allows, filled column by column, as Python's `cmd` lists its commands. */

const GAP = 2;

export function columns(names: readonly string[], width: number): string[] {
  for (let rows = 1; ; rows++) {
    const widths: number[] = [];
    for (let at = 0; at < names.length; at += rows) {
      widths.push(Math.max(...names.slice(at, at + rows).map((name) => name.length)));
    }
    const total = widths.reduce((sum, column) => sum + column + GAP, -GAP);
    if (total > width && rows < names.length) continue;
    return Array.from({ length: Math.min(rows, names.length) }, (_, row) => {
      const inRow = names.filter((_name, i) => i % rows === row);
      return inRow.map((name, i) => (i < inRow.length - 1 ? name.padEnd(widths[i]) : name)).join(" ".repeat(GAP));
    });
  }
}
