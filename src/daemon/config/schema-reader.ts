/**
 * Reads a YAML tree by the schema: fills in defaults and collects every problem instead of stopping at the first. Only
 * what the schema names is ever copied, so no key of a file reaches an object's prototype.
 */

import type { Node } from "yaml";
import { isScalar } from "yaml";
import type { ConfigProblem } from "./config-error.js";
import { nearestKey } from "./nearest-key.js";
import type { Given, Report } from "./object-checks.js";
import { cut, describe, unknownKey } from "./schema-words.js";
import type { SourceEntry, YamlSource } from "./yaml-source.js";

/** The keywords of schema.ts that the reader knows, as one shape. */
export interface ReadableSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly ReadableSchema[];
  readonly discriminator?: string;
  readonly properties?: Readonly<Record<string, ReadableSchema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, ReadableSchema>>;
  readonly items?: ReadableSchema;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly what?: string;
  readonly accepted?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly suggested?: unknown;
  /** Of an element of a list: not in force in the example, although others are. */
  readonly onRequest?: boolean;
  readonly insteadOf?: string;
  readonly secret?: boolean;
  readonly nullRefused?: boolean;
  readonly check?: (value: never, report: Report, given: Given) => void;
}

/** Problems after which reading goes on but nothing more is noted. */
const MAX_PROBLEMS = 100;

/** Nodes visited, aliases expanded: what stops a small file that means a huge one. */
const MAX_VISITS = 200_000;

export interface Reading {
  /**
   * As the schema says if there are no problems. Otherwise what is right of it, for further checks: a key with a
   * problem is absent, such an element of a list is `undefined`.
   */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Adds a problem, with the line of that key or of the nearest one around it. */
  report(path: string, message: string): void;
  /** The line of that key or of the nearest one around it. */
  lineOf(path: string): number;
}

/** Reads `source` by `schema`, which must describe an object. */
export function readBySchema(schema: ReadableSchema, source: YamlSource): Reading {
  return new SchemaReader(source).read(schema);
}

class SchemaReader {
  private readonly problems: ConfigProblem[] = [];
  private readonly lines = new Map<string, number>();
  private visits = 0;
  /** Unlike `problems` without a limit. */
  private problemCount = 0;

  constructor(private readonly source: YamlSource) {}

  read(schema: ReadableSchema): Reading {
    const { root } = this.source;
    const value = root
      ? this.value(schema, root, "")
      : this.report("", `the file is empty (a mapping with ${Object.keys(schema.properties ?? {}).join(", ")})`);
    return {
      value,
      problems: this.problems,
      report: (path, message) => this.report(path, message),
      lineOf: (path) => this.lineOf(path),
    };
  }

  private report(path: string, message: string): undefined {
    this.problemCount++;
    if (this.problemCount <= MAX_PROBLEMS) this.problems.push({ path, line: this.lineOf(path), message });
    if (this.problemCount === MAX_PROBLEMS + 1) {
      const line = Math.max(...this.problems.map((problem) => problem.line));
      this.problems.push({ path: "", line, message: "… and more; only the first problems are shown" });
    }
  }

  /** The same for a key that must not be there, or not so: what is wrong with its value need not be told any more. */
  private reportInstead(path: string, message: string): void {
    const told = this.problems.findIndex((problem) => problem.path === path);
    if (told >= 0) this.problems[told] = { ...this.problems[told], message };
    else this.report(path, message);
  }

  private lineOf(path: string): number {
    for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("."), at.lastIndexOf("[")))) {
      const line = this.lines.get(at);
      if (line !== undefined) return line;
    }
    return 1;
  }

  private value(schema: ReadableSchema, node: Node, path: string): unknown {
    if (++this.visits > MAX_VISITS) {
      if (this.visits === MAX_VISITS + 1) {
        this.report(path, `more than ${MAX_VISITS} values, with aliases expanded (that many are read)`);
      }
      return undefined;
    }
    if (schema.anyOf) return this.union(schema, schema.anyOf, node, path);
    if (schema.type === "object") return this.mapping(schema, node, path);
    if (schema.type === "array") return this.list(schema, node, path);
    return this.scalar(schema, node, path);
  }

  private mapping(schema: ReadableSchema, node: Node, path: string): unknown {
    const entries = this.source.entries(node);
    if (!entries) return this.wrong(schema, node, path);
    const byKey = new Map<string, SourceEntry>();
    for (const entry of entries) {
      const first = byKey.get(entry.key);
      if (first) {
        this.report(below(path, entry.key), `given twice (lines ${first.line} and ${entry.line})`);
        continue;
      }
      byKey.set(entry.key, entry);
      this.lines.set(below(path, entry.key), entry.line);
    }
    return schema.patternProperties ? this.record(schema, byKey, path) : this.object(schema, byKey, path);
  }

  /** A mapping whose keys the schema names. */
  private object(schema: ReadableSchema, entries: ReadonlyMap<string, SourceEntry>, path: string) {
    const known = schema.properties ?? {};
    const result: Record<string, unknown> = {};
    /** What an unknown key was probably meant to be: not missed as well, and without its default. */
    const misspelt = new Set<string>();
    for (const key of entries.keys()) {
      if (Object.hasOwn(known, key)) continue;
      const near = nearestKey(key, Object.keys(known));
      if (near !== undefined && !entries.has(near)) misspelt.add(near);
      this.report(below(path, key), unknownKey(key, near, Object.keys(known)));
    }
    for (const [key, keySchema] of Object.entries(known)) {
      if (misspelt.has(key)) continue;
      const value = this.key(keySchema, entries.get(key), below(path, key), schema.required?.includes(key) ?? false);
      if (value !== undefined) result[key] = value;
    }
    const report: Report = (key, message) => this.reportInstead(below(path, key), message);
    schema.check?.(result as never, report, (key) => misspelt.has(key) || entries.get(key)?.value !== undefined);
    return result;
  }

  /** The value of one key of an object: from the file, or its default, or `undefined` if it may be absent. */
  private key(schema: ReadableSchema, entry: SourceEntry | undefined, path: string, required: boolean): unknown {
    if (entry?.value) return this.value(schema, entry.value, path);
    if (entry && schema.nullRefused) return this.report(path, `null is not ${describe(schema)}`);
    if (schema.default === undefined)
      return required ? this.report(path, `missing; needed is ${describe(schema)}`) : undefined;
    // The default of an object is {}: that of its keys.
    if (schema.type === "object") return this.object(schema, new Map(), path);
    return structuredClone(schema.default);
  }

  /** A mapping whose keys are free, as a `Map`. */
  private record(schema: ReadableSchema, entries: ReadonlyMap<string, SourceEntry>, path: string) {
    if (entries.size > (schema.maxProperties ?? Number.POSITIVE_INFINITY)) {
      return this.report(path, `${entries.size} keys are too many (at most ${schema.maxProperties})`);
    }
    const [[pattern, valueSchema]] = Object.entries(schema.patternProperties ?? {});
    const result = new Map<string, unknown>();
    for (const [key, entry] of entries) {
      const at = below(path, key);
      if (new RegExp(pattern).test(key)) result.set(key, this.key(valueSchema, entry, at, true));
      else this.report(at, `not a key of ${describe(schema)}`);
    }
    return result;
  }

  private list(schema: ReadableSchema, node: Node, path: string): unknown {
    const elements = this.source.elements(node);
    if (!elements) return this.wrong(schema, node, path);
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = {} } = schema;
    if (elements.length < minItems) return this.report(path, `the list is empty (at least ${minItems} needed)`);
    if (elements.length > maxItems) {
      return this.report(path, `${elements.length} elements are too many (at most ${maxItems})`);
    }
    return elements.map((element, i) => {
      const at = `${path}[${i}]`;
      if (!element) return this.report(at, `null is not ${describe(items)}`);
      this.lines.set(at, this.source.lineOf(element));
      return this.value(items, element, at);
    });
  }

  /** Chooses the alternative that the kind of the node, or the discriminating key of a mapping, stands for. */
  private union(schema: ReadableSchema, anyOf: readonly ReadableSchema[], node: Node, path: string): unknown {
    if (schema.discriminator) return this.discriminated(schema.discriminator, schema, anyOf, node, path);
    const scalar = isScalar(node) ? typeof node.value : "none";
    const kind = this.source.entries(node) ? "object" : this.source.elements(node) ? "array" : scalar;
    const chosen = anyOf.find(({ type }) => type === kind);
    return chosen ? this.value(chosen, node, path) : this.wrong(schema, node, path);
  }

  private discriminated(
    key: string,
    schema: ReadableSchema,
    anyOf: readonly ReadableSchema[],
    node: Node,
    path: string,
  ): unknown {
    const entries = this.source.entries(node);
    if (!entries) return this.wrong({ ...schema, accepted: `a mapping with ${key}, …` }, node, path);
    const names = anyOf.map((alternative) => alternative.properties?.[key].const as string);
    const accepted = `(valid values: ${names.join(" ")})`;
    const entry = entries.find((candidate) => candidate.key === key);
    this.lines.set(below(path, key), entry?.line ?? this.source.lineOf(node));
    if (!entry?.value) return this.report(below(path, key), `missing ${accepted}`);
    const chosen = names.indexOf(isScalar(entry.value) ? (entry.value.value as string) : "");
    if (chosen < 0) {
      return this.report(below(path, key), `${this.shown(entry.value)} is not ${schema.what} type ${accepted}`);
    }
    return this.value(anyOf[chosen], node, path);
  }

  private scalar(schema: ReadableSchema, node: Node, path: string): unknown {
    if (!isScalar(node)) return this.wrong(schema, node, path);
    const { value, source = "", type } = node;
    if (schema.const !== undefined) return value === schema.const ? value : this.wrong(schema, node, path);
    if (schema.type === "boolean") {
      if (typeof value === "boolean") return value;
      // The reference reads YAML 1.1, where these words are booleans too.
      const word =
        type === "PLAIN" && typeof value === "string" ? YAML_1_1_BOOLEANS.get(value.toLowerCase()) : undefined;
      return word ?? this.wrong(schema, node, path);
    }
    if (schema.type === "integer") {
      const whole = typeof value === "number" && Number.isSafeInteger(value) && !/[.eE]/.test(hexless(source));
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      if (!whole || value < minimum || value > maximum) return this.wrong(schema, node, path);
      return value === 0 ? 0 : value; // no negative zero
    }
    const fits =
      typeof value === "string" &&
      value.length >= (schema.minLength ?? 0) &&
      value.length <= (schema.maxLength ?? Number.POSITIVE_INFINITY) &&
      !value.includes("\0") &&
      (!schema.enum || schema.enum.includes(value)) &&
      (!schema.pattern || new RegExp(schema.pattern, "u").test(value));
    return fits ? value : this.wrong(schema, node, path);
  }

  private wrong(schema: ReadableSchema, node: Node, path: string): undefined {
    const unquoted = schema.type === "string" && !schema.enum && isScalar(node) && typeof node.value !== "string";
    const shown = schema.secret ? "the value (not shown)" : this.shown(node);
    return this.report(path, `${shown} is not ${describe(schema)}${unquoted ? "; put it in quotes" : ""}`);
  }

  /** The value as an error shows it: short, and never a whole list or mapping. */
  private shown(node: Node): string {
    if (this.source.entries(node)) return "a mapping";
    if (this.source.elements(node)) return "a list";
    if (!isScalar(node)) return "this";
    const { value } = node;
    if (typeof value !== "string") return cut(node.source ?? String(value));
    return `"${cut(value)}"`;
  }
}

const YAML_1_1_BOOLEANS = new Map([
  ["yes", true],
  ["on", true],
  ["no", false],
  ["off", false],
]);

/** 0xE is a whole number, 1e3 is not. */
const hexless = (source: string) => (/^[-+]?0x/i.test(source) ? "" : source);

const below = (path: string, key: string) => (path === "" ? cut(key) : `${path}.${cut(key)}`);
