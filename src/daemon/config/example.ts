/**
 * The annotated example, made from the schema: every key with its default or a suggestion, and what it means. A key that
 * has neither stands there as a comment, with an example; taking the `# ` away puts it in force.
 */

import { stringify } from "yaml";
import { configSchema } from "./schema.js";
import type { ReadableSchema } from "./schema-reader.js";

/** Where notes begin, and where they are wrapped. */
const NOTE_COLUMN = 42;
const WIDTH = 120;

const HEADER = `\
# Configuration of pafd, the Pathfinder server of pathfinder-edge. YAML; every key is here, with its default if it has
# one. A key behind a "#" is an example and not in force. An unknown key or a wrong value keeps pafd from starting;
# "pafd --check FILE" prints all mistakes at once, each with its line. See pafd.conf(5). This file is what
# "pafd --print-example" prints.
`;

interface Line {
  readonly indent: number;
  readonly text: string;
  /** What the line means; wrapped behind it. */
  readonly note: string;
  /** Column of the `#` if the line is not in force. */
  readonly hash?: number;
}

export function exampleConfig(): string {
  const sections = Object.entries(configSchema.properties as Record<string, ReadableSchema>);
  return [HEADER, ...sections.map(([key, schema]) => section(key, schema))].join("\n");
}

/** A key of the file itself: what it means stands above it. */
function section(key: string, schema: ReadableSchema): string {
  const [first, ...below] = keyLines(key, schema, true);
  return `${[`# ${first.note}`, ...[{ ...first, note: "" }, ...below].flatMap(written)].join("\n")}\n`;
}

/** One key at column 0; `instead` tells of the keys that may stand in its place. */
function keyLines(key: string, schema: ReadableSchema, required: boolean, instead = ""): Line[] {
  const value = schema.const ?? schema.default ?? schema.suggested;
  const inForce = required || value !== undefined;
  const note = [schema.description, instead, valuesOf(schema)].filter(Boolean).join(" ");
  const below = schema.properties ? objectLines(schema) : isBlock(schema.items) ? elementLines(schema) : undefined;
  const text = below ? `${key}:` : `${key}: ${flow(value ?? schema.examples?.[0])}`;
  const lines = [{ indent: 0, text, note }, ...indented(below ?? [], 2)];
  return inForce ? lines : notInForce(lines);
}

function objectLines({ properties = {}, required }: ReadableSchema): Line[] {
  const keys = Object.entries(properties);
  return keys
    .filter(([, { insteadOf }]) => insteadOf === undefined)
    .flatMap(([key, schema]) => {
      const instead = keys
        .filter(([, { insteadOf }]) => insteadOf === key)
        .map(([other, { description }]) => `Or ${other}: ${description}`);
      return keyLines(key, schema, required?.includes(key) ?? false, instead.join(" "));
    });
}

/** The elements of a list: suggested ones, then examples and what else an element may be. */
function elementLines({ suggested = [], examples = [[]], items }: ReadableSchema): Line[] {
  const plain = (values: unknown) => (values as unknown[]).flatMap((value) => element([plainLine(flow(value))]));
  const mappings = (items?.anyOf ?? [items ?? {}])
    .filter(({ properties }) => properties)
    .flatMap((schema) => {
      const [first, ...others] = objectLines(schema);
      const lines = element([{ ...first, note: first.note || (schema.description ?? "") }, ...others]);
      return schema.onRequest ? notInForce(lines) : lines;
    });
  const inForce = plain(suggested);
  const further = [...plain(examples[0]), ...mappings];
  return inForce.length > 0 ? [...inForce, ...notInForce(further)] : further;
}

/** Whether elements of this kind stand on lines of their own. */
const isBlock = (items: ReadableSchema | undefined) => items?.anyOf !== undefined || items?.properties !== undefined;

const plainLine = (text: string): Line => ({ indent: 0, text, note: "" });

const indented = (lines: readonly Line[], by: number): Line[] =>
  lines.map((line) => ({
    ...line,
    indent: line.indent + by,
    ...(line.hash === undefined ? {} : { hash: line.hash + by }),
  }));

const notInForce = (lines: readonly Line[]): Line[] => lines.map((line) => ({ ...line, hash: 0 }));

function element([first, ...others]: readonly Line[]): Line[] {
  return [{ ...first, text: `- ${first.text}` }, ...indented(others, 2)];
}

function valuesOf(schema: ReadableSchema): string {
  const values = schema.enum ?? [];
  return values.length > 0 ? `Values: ${values.join(" ")}.` : "";
}

const flow = (value: unknown) =>
  stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trimEnd();

/** A line with its note, which goes on below it where it is long. */
function written({ indent, text, note, hash }: Line): string[] {
  const left =
    hash === undefined
      ? `${" ".repeat(indent)}${text}`
      : `${" ".repeat(hash)}# ${" ".repeat(Math.max(0, indent - hash))}${text}`;
  const notes = wrapped(note, WIDTH - NOTE_COLUMN - 2);
  if (notes.length === 0) return [left];
  return notes.map((words, i) => `${(i === 0 ? `${left}  ` : "").padEnd(NOTE_COLUMN)}# ${words}`);
}

function wrapped(text: string, width: number): string[] {
  const rows: string[] = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const row = rows.at(-1);
    if (row !== undefined && row.length + 1 + word.length <= width) rows[rows.length - 1] = `${row} ${word}`;
    else rows.push(word);
  }
  return rows;
}
