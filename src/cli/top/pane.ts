/** One table of `top`: which rows are shown, in which order, from where on. Draws itself; knows neither terminal nor server. */

import { columnsOf, displayable, slice } from "./columns.js";
import type { Line } from "./screen.js";

export interface Column<Row> {
  readonly title: string;
  /** At least; wider if a value that is in sight needs it. The last column has what is left. */
  readonly width: number;
  readonly right?: true;
  text(row: Row, nowUnixSeconds: number): string;
  /** What rows are ordered by; those without one come last. */
  order(row: Row): bigint | number | string | undefined;
}

export interface Source<Row> {
  readonly rows: Iterable<Row>;
  /** Rises whenever a row does. */
  readonly version: number;
}

/** How far the last column moves at a time. */
const SIDE_STEP = 8;
/** With less room than this for the last column, all columns move. */
const LEAST_LAST = 16;
/** No column but the last is wider. */
const WIDEST = 24;

export class Pane<Row> {
  filter = "";
  private sortedBy = 0;
  private descending = false;
  private top = 0;
  private left = 0;
  /** Columns of the longest row of the last picture, as far as it can be moved. */
  private longest = 0;
  private page = 1;
  private selection: readonly Row[] = [];
  private selectedFor = "";

  constructor(
    readonly title: string,
    private readonly columns: readonly Column<Row>[],
    private readonly source: () => Source<Row>,
    /** What a filter is looked for in. */
    private readonly searched: (row: Row) => string,
  ) {}

  /** The rows that the filter leaves. */
  get count(): number {
    return this.select().length;
  }

  get order(): string {
    return `${this.columns[this.sortedBy].title}${this.descending ? " (down)" : ""}`;
  }

  sortByNext(): void {
    this.sortedBy = (this.sortedBy + 1) % this.columns.length;
  }

  reverse(): void {
    this.descending = !this.descending;
  }

  /** By so many rows, which may be infinite: no further than there are some. Several may come before the next picture. */
  scroll(rows: number): void {
    this.top = Math.max(0, Math.min(this.top + rows, this.count - this.page));
  }

  scrollPages(pages: number): void {
    this.scroll(pages * this.page);
  }

  scrollSideways(steps: number): void {
    const furthest = Math.floor((this.longest - 1) / SIDE_STEP) * SIDE_STEP;
    this.left = Math.max(0, Math.min(this.left + steps * SIDE_STEP, furthest));
  }

  /** The header and the rows in sight: `height` lines of `width` columns. */
  draw(width: number, height: number, nowUnixSeconds: number): Line[] {
    const rows = this.select();
    this.page = Math.max(1, height - 1);
    this.top = Math.max(0, Math.min(this.top, rows.length - this.page));
    const cells = rows
      .slice(this.top, this.top + height - 1)
      .map((row) => this.columns.map((column) => displayable(column.text(row, nowUnixSeconds))));
    const last = this.columns.length - 1;
    const widths = this.columns.map((column, i) =>
      i === last
        ? 0
        : Math.min(
            WIDEST,
            cells.reduce((most, row) => Math.max(most, columnsOf(row[i])), column.width),
          ),
    );
    const fixedColumns = widths.reduce((sum, columns) => sum + columns, last);
    const movesAll = width - fixedColumns < LEAST_LAST;
    this.longest = cells.reduce((most, row) => Math.max(most, columnsOf(row[last]) + (movesAll ? fixedColumns : 0)), 0);
    const line = (texts: readonly string[], leftOfLast: number) => {
      const fixed = widths.slice(0, last).map((columns, i) => {
        const missing = columns - columnsOf(texts[i]);
        return `${this.columns[i].right && missing > 0 ? " ".repeat(missing) + texts[i] : slice(texts[i], columns)} `;
      });
      const before = fixed.join("");
      return movesAll
        ? slice(before + texts[last], width, this.left)
        : before + slice(texts[last], width - fixedColumns, leftOfLast);
    };
    const titles = this.columns.map(({ title }, i) => (i === this.sortedBy ? `${title}*` : title));
    const lines: Line[] = [{ text: line(titles, 0), style: "reverse" }];
    for (const row of cells) lines.push({ text: line(row, this.left), style: "plain" });
    while (lines.length < height) lines.push({ text: " ".repeat(width), style: "plain" });
    return lines.slice(0, Math.max(0, height));
  }

  /** Sorting thousands of rows is the costly part of a picture, so it is done only when something has changed. */
  private select(): readonly Row[] {
    const { rows, version } = this.source();
    const wanted = `${version} ${this.sortedBy} ${this.descending} ${this.filter}`;
    if (wanted !== this.selectedFor) {
      this.selectedFor = wanted;
      this.selection = sorted(this.filtered(rows), this.columns[this.sortedBy], this.descending);
    }
    return this.selection;
  }

  private filtered(rows: Iterable<Row>): Row[] {
    const part = this.filter.toLowerCase();
    return part === "" ? [...rows] : [...rows].filter((row) => this.searched(row).toLowerCase().includes(part));
  }
}

function sorted<Row>(rows: Row[], column: Column<Row>, descending: boolean): Row[] {
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, key: column.order(row) }))
    .sort((a, b) => {
      if (a.key === undefined || b.key === undefined) return Number(a.key === undefined) - Number(b.key === undefined);
      return a.key < b.key ? -sign : a.key > b.key ? sign : 0;
    })
    .map(({ row }) => row);
}
