/** Help and manual page tell the same story. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { COMMANDS } from "../../src/cli/command-line.js";
import { HELP } from "../../src/cli/help.js";
import { root } from "../support/root.js";
import { pafc } from "./run.js";

const MAN = readFileSync(join(root, "build/man/pafc.1"), "utf8").replaceAll("\\-", "-");

const longOptions = (text: string) => [...new Set(text.match(/--[a-z][a-z-]*/g))].sort();

test("the manual page has exactly the options of the help, and both have every command", () => {
  assert.equal(longOptions(MAN), longOptions(HELP));
  for (const command of COMMANDS) {
    assert.match(HELP, new RegExp(`^ {2}${command}`, "m"));
    assert.match(MAN, new RegExp(`^\\.B[RI]? ${command}`, "m"));
  }
});

test("the help fits a terminal and is what -h prints", async () => {
  for (const line of HELP.split("\n")) assert.ok(line.length <= 80, line);
  assert.equal(await pafc("-h"), { code: 0, stdout: `${HELP}\n`, stderr: "" });
  assert.equal(await pafc("--version"), {
    code: 0,
    stdout: "Client version: 0.0.0-test\nProtocol version(s): 2 3\n",
    stderr: "",
  });
});

test.run();
