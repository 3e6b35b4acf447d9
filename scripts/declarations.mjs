/**
 * The library's declarations as one file: what its entry exports, and what that needs. Made of the files that `tsc`
 * writes, whose top-level statements begin at the first column.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** `AbortSignal` and `Symbol.asyncDispose` for programs without @types/node or "DOM"; elsewhere they merge with those. */
const GLOBALS = `declare global {
    interface AbortSignal {
    }
    interface SymbolConstructor {
        readonly asyncDispose: unique symbol;
    }
}
`;

const STATEMENT =
  /^(?:\/\*\*(?:[^*]|\*(?!\/))*\*\/\n)?(?:export |declare |import ).*\n(?:(?!\/\*\*|export |declare |import ).*\n)*/gm;
/** The sentence at the head of each file, and references to the specification, are for us: a user has no such page. */
const HEAD = /^\/\*\*(?:[^*]|\*(?!\/))*\*\/\n/;
const CITATION = / \((?:[a-z-]+\.md, )?\d+(?:\.\d+)?(?:(?:,| and| to) \d+(?:\.\d+)?)*\)/g;
const DECLARED = /^export (?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/m;
const NAMED = /^(?:import|export) (?:type )?\{([^}]*)\} from "(\.[^"]+)\.js"/m;
const ALL = /^export \* from "(\.[^"]+)\.js"/m;

/** One file: its declarations by name, where the names it passes on or imports come from, and whose exports are all its own. */
class Declarations {
  declared = new Map();
  from = new Map();
  all = [];

  constructor(file) {
    const target = (name) => join(dirname(file), `${name}.d.ts`);
    const text = readFileSync(file, "utf8").replace(HEAD, "").replace(CITATION, "");
    for (const [statement] of text.matchAll(STATEMENT)) {
      const [, name] = DECLARED.exec(statement) ?? [];
      const [, names, source] = NAMED.exec(statement) ?? [];
      const [, everything] = ALL.exec(statement) ?? [];
      if (name !== undefined) this.declared.set(name, (this.declared.get(name) ?? "") + statement);
      else if (everything !== undefined) this.all.push(target(everything));
      else for (const one of names?.match(/\b(?!type\b)\w+/g) ?? []) this.from.set(one, target(source));
    }
  }
}

/** The text of one file for the declarations below `entry`. Throws if two that are needed have the same name. */
export function rollDeclarations(entry) {
  const files = new Map();
  const read = (file) => {
    if (!files.has(file)) files.set(file, new Declarations(file));
    return files.get(file);
  };
  const origin = (file, name) => {
    const { declared, from, all } = read(file);
    if (declared.has(name)) return file;
    if (from.has(name)) return origin(from.get(name), name);
    return all.map((other) => origin(other, name)).find((found) => found !== undefined);
  };
  const exported = (file) => {
    const { declared, from, all } = read(file);
    const passedOn = [...from.keys()].filter((name) => file === entry || isPassedOn(file, name));
    return [...declared.keys(), ...passedOn, ...all.flatMap(exported)];
  };
  const isPassedOn = (file, name) =>
    [...readFileSync(file, "utf8").matchAll(/^export (?:type )?\{([^}]*)\} from/gm)].some(([, names]) =>
      new RegExp(`\\b${name}\\b`).test(names),
    );
  const needed = new Map();
  const need = (file, name) => {
    const at = origin(file, name);
    if (at === undefined || needed.get(name) === at) return;
    if (needed.has(name)) throw new Error(`two declarations of ${name}: in ${needed.get(name)} and ${at}`);
    needed.set(name, at);
    const code = read(at)
      .declared.get(name)
      .replace(/\/\*\*(?:[^*]|\*(?!\/))*\*\//g, "");
    for (const [other] of code.matchAll(/\b\w+\b/g)) if (other !== name) need(at, other);
  };
  const names = [...new Set(exported(entry))].sort();
  for (const name of names) need(entry, name);
  const statements = [...needed].map(([name, file]) =>
    read(file)
      .declared.get(name)
      .replace(/^export (?:declare )?/m, "declare "),
  );
  return `${statements.join("")}${GLOBALS}export { ${names.join(", ")} };\n`;
}
