/** What the README names is there: files, npm commands, options of pafd and commands of pafc. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HELP } from "../src/cli/help.js";
import { pafdHelp, parsePafdOptions } from "../src/daemon/options.js";
import { root } from "./support/root.js";

const readme = readFileSync(join(root, "README.md"), "utf8");
const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as Record<string, string>;

/** Every distinct match of the pattern's first group. */
const named = (pattern: RegExp) => [...new Set([...readme.matchAll(pattern)].map((match) => match[1]))];

for (const path of named(/`((?:src|build|scripts|test|native)\/[\w./-]*)`/g)) {
  test(`${path} exists`, () => assert.ok(existsSync(join(root, path))));
}

/** What npm can do by itself. */
const OF_NPM = ["install", "pack"];

for (const command of named(/(?:`|\$ )npm (?:run )?([a-z]+)/g)) {
  test(`npm ${command} exists`, () => assert.ok(scripts[command] ?? OF_NPM.includes(command), command));
}

for (const line of named(/^dist\/pafd (.*?)(?: {2,}#.*)?$/gm)) {
  test(`pafd ${line} is a command line`, () => {
    const command = parsePafdOptions(line.split(" "), () => "domains: [{sockets: [ux:home]}]");
    assert.is(command.kind, "run");
  });
}

for (const command of named(/pafc \S+ (services|subscriptions|clients|publish|unpublish|subscribe|ping)/g)) {
  test(`pafc ${command} is in its help`, () => assert.match(HELP, new RegExp(`\\b${command}\\b`)));
}

test("pafd's options of the README are in its help", () => {
  for (const option of ["-s", "-n", "-m", "-f"]) assert.ok(pafdHelp().includes(`${option},`), option);
});

test.run();
