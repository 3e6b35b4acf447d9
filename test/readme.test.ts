/**
 * What the README and the pages below docs/ name is there: files, npm commands, options of pafd, commands of pafc, and the
 * pages and chapters that they link to.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HELP } from "../src/cli/help.js";
import { loadConfig } from "../src/daemon/config/config.js";
import { pafdHelp, parsePafdOptions } from "../src/daemon/options.js";
import { root } from "./support/root.js";

const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as Record<string, string>;

/** Every page below a folder, as a path from the root. */
function pagesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return pagesBelow(path);
    return path.endsWith(".md") ? [path] : [];
  });
}

const textOf = (page: string) => readFileSync(join(root, page), "utf8");

/** Without what stands in blocks of code, where brackets are no links and `#` begins no chapter. */
const proseOf = (page: string) => textOf(page).replace(/^ *```[\s\S]*?^ *```/gm, "");

/** The names by which chapters are linked to: lower case, hyphens for spaces, punctuation left out. */
function chaptersOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const PAGES = ["README.md", ...pagesBelow("docs")];
const everything = PAGES.map(textOf).join("\n");

/** Every distinct match of the pattern's first group. */
const named = (pattern: RegExp, text = everything) => [
  ...new Set([...text.matchAll(pattern)].map((match) => match[1])),
];

for (const path of named(/`((?:src|build|scripts|test|native|docs|examples)\/[\w./-]*)`/g)) {
  test(`${path} exists`, () => assert.ok(existsSync(join(root, path))));
}

test("there are pages below docs/, and each is linked to from the README or from a page that is", () => {
  assert.ok(PAGES.length > 5, String(PAGES));
  const reached = new Set(["README.md"]);
  for (const page of reached) for (const link of linksOf(page)) if (PAGES.includes(link.path)) reached.add(link.path);
  assert.equal([...reached].sort(), [...PAGES].sort());
});

/** Where the links of a page lead, other than to the web: `path` from the root. */
function linksOf(page: string): { readonly path: string; readonly chapter: string | undefined }[] {
  return named(/\]\(([^)\s]+)\)/g, proseOf(page))
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file, chapter] = target.split("#");
      return { path: file === "" ? page : relative(root, join(root, dirname(page), file)), chapter };
    });
}

for (const page of PAGES) {
  test(`the links of ${page} lead somewhere`, () => {
    for (const { path, chapter } of linksOf(page)) {
      assert.ok(existsSync(join(root, path)), `${path}, in ${page}`);
      if (chapter !== undefined) assert.ok(chaptersOf(path).includes(chapter), `${path}#${chapter}, in ${page}`);
    }
  });
}

for (const page of PAGES) {
  for (const [, indent, block] of textOf(page).matchAll(/^( *)```yaml\n([\s\S]*?)^ *```/gm)) {
    const text = block.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    test(`${page} shows a configuration that is good: ${text.slice(0, 60).replaceAll("\n", " ")}…`, () => {
      loadConfig(text.includes("domains:") ? text : `domains: [{sockets: [ux:home]}]\n${text}`, page);
    });
  }
}

/** What npm can do by itself. */
const OF_NPM = ["install", "pack"];

for (const command of named(/(?:`|\$ )npm (?:run )?([a-z]+)/g)) {
  test(`npm ${command} exists`, () => assert.ok(scripts[command] ?? OF_NPM.includes(command), command));
}

for (const line of named(/^(?:\$ )?(?:dist\/)?pafd (-.*?)(?: &)?(?: {2,}#.*)?$/gm)) {
  test(`pafd ${line} is a command line`, () => {
    const file = "domains: [{sockets: [ux:home]}]\ngateways: [{type: mdns}]";
    const command = parsePafdOptions(line.split(" "), () => file);
    assert.is(command.kind, line.startsWith("--check") ? "check" : "run");
  });
}

for (const command of named(
  /pafc \S+ (services|subscriptions|clients|gateways|publish|unpublish|subscribe|ping|top|bench)\b/g,
)) {
  test(`pafc ${command} is in its help`, () => assert.match(HELP, new RegExp(`\\b${command}\\b`)));
}

test("pafd's options of the README are in its help", () => {
  for (const option of ["-s", "-n", "-m", "-f"]) assert.ok(pafdHelp().includes(`${option},`), option);
});

test.run();
