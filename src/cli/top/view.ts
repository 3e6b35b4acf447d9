/** The picture of `top`: everything known to lines that fill the screen exactly. */

import { columnsOf, displayable, slice } from "./columns.js";
import { compact } from "./compact.js";
import type { Counts } from "./rates.js";
import type { Line, LineStyle, Size } from "./screen.js";

export type Link =
  | { readonly state: "connected"; readonly protocolVersion: number; readonly latencyMs: number | undefined }
  | { readonly state: "lost"; readonly reason: string; readonly retryInSeconds: number };

/** What the picture needs of a pane. */
export interface DrawnPane {
  readonly title: string;
  readonly count: number;
  readonly order: string;
  readonly filter: string;
  draw(width: number, height: number, nowUnixSeconds: number): Line[];
}

export interface Picture {
  readonly address: string;
  readonly link: Link;
  /** A new subscription is still telling what there is. */
  readonly isSyncing: boolean;
  readonly services: number;
  readonly orphans: number;
  /** Absent if not known, or not lately asked for. */
  readonly subscriptions: number | undefined;
  readonly clients: number | undefined;
  readonly perSecond: Counts;
  readonly totals: Counts;
  readonly panes: readonly DrawnPane[];
  readonly active: number;
  readonly mode: "table" | "help" | "filter";
  /** The filter as far as it has been typed. */
  readonly typed: string;
  readonly nowUnixSeconds: number;
}

const HELP = [
  "  1 2 3 4, Tab       services, subscriptions, clients, gateways",
  "  arrows, PgUp PgDn  scroll; left and right move the last column (narrow: all)",
  "  Home, End          first row, last row",
  "  /                  show only rows that have a text; Esc shows all again",
  "  s                  sort by the next column (marked *); r reverses",
  "  Ctrl-L             draw the screen again",
  "  q, Ctrl-C, Ctrl-Z  leave; stop until the shell's fg",
  "",
  "  Orphan: seconds until the service disappears, by the clock of this machine.",
  "  Changes/s: the mean of 5 seconds; in parentheses all since top was started.",
  "  2.6k is 2600, 1.2M is 1200000.",
  "  Services are current. The list that is shown is asked for every --interval,",
  "  the numbers of the others every 10 seconds, if at most 1000; else they are",
  "  not shown.",
];
const KEYS = "1-4 panes   / filter   s sort   r reverse   ? help   q quit";
/** Below this many rows the head is left out, so that the table has room. */
const LEAST_ROWS_WITH_HEAD = 9;

/** `size.rows` lines of `size.columns` columns. */
export function render(picture: Picture, { columns, rows }: Size): Line[] {
  const line = (text: string, style: LineStyle = "plain"): Line => ({ text: slice(displayable(text), columns), style });
  const head =
    rows < LEAST_ROWS_WITH_HEAD
      ? []
      : headLines(picture, columns).map((text, i) => line(text, i === 0 ? "bold" : "plain"));
  const height = Math.max(0, rows - head.length - 1);
  const pane = picture.panes[picture.active];
  const body =
    picture.mode === "help"
      ? Array.from({ length: height }, (_, i) =>
          line(i === 0 ? "Keys" : (HELP[i - 1] ?? ""), i === 0 ? "reverse" : "plain"),
        )
      : pane.draw(columns, height, picture.nowUnixSeconds);
  return [...head, ...body, footLine(picture, line)].slice(0, rows);
}

function headLines({ address, link, isSyncing, ...picture }: Picture, columns: number): string[] {
  const { services, orphans, subscriptions, clients, perSecond, totals } = picture;
  const rate = (name: keyof Counts) => `${name} ${compact(perSecond[name])} (${compact(totals[name], 0)})`;
  const server =
    link.state === "lost"
      ? ["no connection"]
      : [
          `protocol ${link.protocolVersion}`,
          ...(link.latencyMs === undefined ? [] : [`latency ${link.latencyMs.toFixed(1)} ms`]),
        ];
  return [
    fitting([address, ...server, ...(isSyncing ? ["reading services"] : [])], columns),
    fitting(
      [
        `Services ${services}`,
        `orphans ${orphans}`,
        ...(subscriptions === undefined ? [] : [`subscriptions ${subscriptions}`]),
        ...(clients === undefined ? [] : [`clients ${clients}`]),
      ],
      columns,
    ),
    fitting([`Changes/s: ${rate("appeared")}`, rate("modified"), rate("disappeared")], columns, 2),
    tabLine(picture.panes, picture.active),
  ];
}

/** As many whole fields as there is room for: of a number that is cut nobody could tell. */
function fitting([first, ...others]: readonly string[], columns: number, blanks = 3): string {
  const shown = displayable(first);
  let line = columnsOf(shown) <= columns ? shown : `${slice(shown, columns - 1).trimEnd()}…`;
  for (const field of others) {
    const longer = line + " ".repeat(blanks) + field;
    if (columnsOf(longer) > columns) break;
    line = longer;
  }
  return line;
}

function tabLine(panes: readonly DrawnPane[], active: number): string {
  const tabs = panes.map(({ title }, i) => (i === active ? `[${i + 1} ${title}]` : ` ${i + 1} ${title} `)).join("");
  return `${tabs} by ${panes[active].order}`;
}

function footLine(
  { mode, typed, link, panes, active }: Picture,
  line: (text: string, style?: LineStyle) => Line,
): Line {
  if (mode === "filter") return line(`/${typed}_   Enter accepts, Esc shows all`, "bold");
  if (link.state === "lost") {
    const seconds = Math.ceil(link.retryInSeconds);
    return line(`connection lost, retrying${seconds > 0 ? ` in ${seconds} s` : " now"}… ${link.reason}`, "bold");
  }
  if (mode === "help") return line("any key: back to the table");
  const { filter, count } = panes[active];
  return line(filter === "" ? KEYS : `${count} with "${filter}"   Esc shows all   ? help   q quit`);
}
