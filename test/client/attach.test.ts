/** Attaching by name: the domain file and its environment decide which servers there are; and a whole program. */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attach, type Domain, type Logger } from "../../src/client/index.js";
import { endSoon, freshName } from "../support/transport-peers.js";
import { Consumer, ENV, Journal, RestartableServer } from "./attached.js";
import { soon } from "./live-domain.js";
import { compile, Program } from "./program.js";

const test = suite("attach");
let directory: string;
let a: RestartableServer;
let b: RestartableServer;
let domains: Domain[] = [];

test.before.each(async () => {
  directory = mkdtempSync(join(tmpdir(), "pathfinder-edge-attach-"));
  a = await RestartableServer.start();
  b = await RestartableServer.start();
});
test.after.each(() => {
  for (const domain of domains) domain.abandon();
  domains = [];
  a.stop();
  b.stop();
  rmSync(directory, { recursive: true });
});
test.after(endSoon);

/** The file of domain "d" is replaced as a whole. */
function write(text: string): void {
  writeFileSync(join(directory, "new"), text);
  renameSync(join(directory, "new"), join(directory, "d"));
}

function byName(log?: Logger): Domain {
  const domain = attach("d", { env: { ...ENV, PAF_DOMAINS: directory }, ...(log ? { log } : {}) });
  domains.push(domain);
  return domain;
}

test("a file that comes later, changes, breaks and goes: links follow, and stay when it can not be read", async () => {
  const journal = new Journal();
  const domain = byName(journal.log);
  const consumer = new Consumer(domain);
  domain.publish({ name: "own" });
  await journal.says(/domain file .*\/d: .*no such file.*The servers stay as they are/);
  write(`${a.address}\n`);
  await consumer.sees(1);
  write(JSON.stringify({ servers: [{ address: b.address }, { address: a.address }] }));
  await journal.says(new RegExp(`^info: d: ${b.address}: Connected`));
  write("{ broken");
  await journal.says(/not JSON/);
  rmSync(join(directory, "d"));
  await journal.until(() => journal.lines.filter((line) => /no such file/.test(line)).length === 2, "the second time");
  assert.equal(
    domain.links.map(({ address, state }) => [address, state]),
    [
      [a.address, "operational"],
      [b.address, "operational"],
    ],
  );
  write("# none\n");
  await journal.says(new RegExp(`${a.address}: Not a server any more`));
  assert.equal(domain.links, []);
  assert.equal(consumer.told, ["appeared own"]);
  assert.throws(() => domain.setServers([]), /those of its file/);
});

test("a program ends by itself after close, and lives while no server is there", async () => {
  const nobody = `ux:${freshName()}`;
  const { code, output } = await soon(
    new Program(
      compile(`
      import { attach } from "./src/client/index.ts";
      const domain = attach({ servers: [{ address: "${a.address}" }, { address: "${nobody}" }] });
      const gone = attach({ servers: [{ address: "${nobody}" }] });
      setTimeout(async () => {
        // Attached domains keep the process alive: this timer does not.
        domain.publish({ name: "program" });
        for await (const match of domain.matches()) {
          console.log(match.type, match.properties.get("name")[0]);
          break;
        }
        await domain.close();
        gone.abandon();
        console.log("closed");
      }, 200).unref();
    `),
    ).ends(),
    "the program's end",
  );
  assert.equal({ code, output }, { code: 0, output: "appeared program\nclosed\n" });
});

test.run();
