/** YAML text as a tree of nodes that know their lines, within limits that no configuration reaches by honest means. */

import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  parseDocument,
  visit,
} from "yaml";
import { ConfigError, type ConfigProblem } from "./config-error.js";

/** Longest text read, in characters; a longer one is refused unread. Holds some thousand domains. */
export const MAX_CONFIG_LENGTH = 262_144;

/** Deepest nesting of lists and mappings; the schema needs seven levels. */
const MAX_DEPTH = 64;

/** A syntax error often causes the next ones; more than these help nobody. */
const MAX_SYNTAX_PROBLEMS = 10;

/** One key of a mapping; `value` is absent if nothing, or a `null`, stands there. */
export interface SourceEntry {
  readonly key: string;
  readonly line: number;
  readonly value: Node | undefined;
  readonly isNull: boolean;
}

/** A parsed text: its root node, and what can be asked about any of its nodes. */
export interface YamlSource {
  readonly root: Node | undefined;
  lineOf(node: Node): number;
  /** The node itself, or the one an alias stands for. */
  resolve(node: Node): Node;
  /** The keys of a mapping in the order written, duplicates included; `undefined` if the node is no mapping. */
  entries(node: Node): readonly SourceEntry[] | undefined;
  /** The elements of a list, `undefined` for `null`; `undefined` if the node is no list. */
  elements(node: Node): readonly (Node | undefined)[] | undefined;
}

/** Parses one YAML 1.2 document. Throws a `ConfigError` with all syntax errors. */
export function parseYaml(text: string, fileName: string): YamlSource {
  if (text.length > MAX_CONFIG_LENGTH) {
    throw new ConfigError(fileName, [
      {
        path: "",
        line: 1,
        message: `the file is too long (${text.length} characters; at most ${MAX_CONFIG_LENGTH} are read)`,
      },
    ]);
  }
  const lines = new LineCounter();
  const problems: ConfigProblem[] = [];
  const report = (offset: number, message: string) => {
    const { line, col } = lines.linePos(offset);
    problems.push({ path: "", line: Math.max(1, line), message: `column ${Math.max(1, col)}: ${message}` });
  };
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    const line = text.slice(0, deep).split("\n").length;
    throw new ConfigError(fileName, [{ path: "", line, message: `nested more than ${MAX_DEPTH} levels deep` }]);
  }
  const { document, targets } = parse(text, lines);
  for (const fault of [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_PROBLEMS)) {
    // The name of a tag is not repeated: it may be a password that begins with "!" and lacks its quotes.
    const why = fault.code === "TAG_RESOLVE_FAILED" ? "this tag is not known here" : fault.message;
    report(fault.pos[0], `not valid YAML: ${why}`);
  }
  for (const [alias, target] of targets) {
    if (!target && problems.length < MAX_SYNTAX_PROBLEMS) {
      report(alias.range?.[0] ?? 0, `not valid YAML: no anchor with the name of this alias stands before it`);
    }
  }
  if (problems.length > 0) throw new ConfigError(fileName, problems);

  const resolve = (node: Node): Node => targets.get(node) ?? node;
  const lineOf = (node: Node): number => Math.max(1, lines.linePos(node.range?.[0] ?? 0).line);
  const isNull = (node: unknown) => !isNode(node) || (isScalar(resolve(node)) && isNullScalar(resolve(node)));
  const entry = (pair: Pair): SourceEntry => ({
    key: isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : "?",
    line: isNode(pair.key) ? lineOf(pair.key) : isNode(pair.value) ? lineOf(pair.value) : 1,
    value: isNode(pair.value) && !isNull(pair.value) ? resolve(pair.value) : undefined,
    isNull: isNull(pair.value),
  });
  return {
    root: document.contents && !isNull(document.contents) ? resolve(document.contents) : undefined,
    lineOf,
    resolve,
    entries: (node) => (isMap(node) ? (node.items as Pair[]).map(entry) : undefined),
    elements: (node) =>
      isSeq(node) ? node.items.map((item) => (isNode(item) && !isNull(item) ? resolve(item) : undefined)) : undefined,
  };
}

const isNullScalar = (node: Node) => isScalar(node) && node.value === null;

/**
 * `uniqueKeys` is off since the library's check takes quadratic time (49 s for 100,000 keys); the reader that knows the
 * schema looks for duplicates. Aliases are resolved here, in one pass: the library searches the whole text for each one.
 */
function parse(text: string, lineCounter: LineCounter) {
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "error", // "silent" would not tell of a second document
    lineCounter,
  });
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node | undefined>();
  visit(document, (_, node) => {
    if (isAlias(node)) targets.set(node, anchors.get(node.source));
    else if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor) anchors.set(node.anchor, node);
  });
  return { document, targets };
}

/**
 * The offset at which the text becomes too deep. What builds the tree is recursive, and the process may die of a full
 * stack (V8's compiler of regular expressions takes it for a lack of memory); lexer and parser are not.
 */
function tooDeepAt(text: string): number | undefined {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // only the growth of the stack matters
    if (parser.stack.length > MAX_DEPTH) return parser.offset;
  }
  return undefined;
}
