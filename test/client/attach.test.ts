/** Attaching by name: the domain file and its environment decide which servers there are; and a whole program. */

import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attach, type Domain, DomainFileError, type Logger, TransportError } from "../../src/client/index.js";
import { Authority, opensslMissing } from "../support/certificates.js";
import { endSoon, freshName, Watch } from "../support/transport-peers.js";
import { Consumer, ENV, Journal, RestartableServer } from "./attached.js";
import { liveDomain, soon } from "./live-domain.js";
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

const MESSAGE = /^<client: 0x2a> debug: ux:\S+: (sent|received) \{"ta-cmd": ?"(\w+)".*\}$/;

test("PAF_DEBUG: every message in both directions on the standard error; without it nothing at all", async () => {
  const script = compile(`
    import { attach } from "./src/client/index.ts";
    (async () => {
      const domain = attach({ servers: [{ address: "${a.address}" }] }, { clientId: 42n });
      domain.publish({ name: "traced" });
      for await (const match of domain.matches()) if (match.type === "appeared") break;
      await domain.close();
    })();
  `);
  for (const PAF_DEBUG of ["1", "0"]) {
    const { code, output } = await soon(new Program(script, { env: { PAF_DEBUG } }).ends(), "the program's end");
    assert.is(code, 0, output);
    if (PAF_DEBUG === "0") assert.is(output, "");
    else {
      const said = output.split("\n").flatMap((line) => MESSAGE.exec(line)?.slice(1).join(" ") ?? []);
      for (const command of ["hello", "track", "publish", "subscribe", "unpublish"]) {
        for (const direction of ["sent", "received"]) assert.ok(said.includes(`${direction} ${command}`), output);
      }
      assert.match(output, /^<client: 0x2a> debug: .* received .*"match-type": ?"appeared".*"traced"/m);
    }
  }
});

const noOpenssl = opensslMissing();
if (noOpenssl) console.log(`skipped: the trace of a TLS link: ${noOpenssl}`);
else {
  test("PAF_DEBUG: the trace of a TLS link has no key, and nobody's text is made when nothing is traced", async () => {
    const authority = new Authority("attach");
    const [client, server] = [authority.issue("client"), authority.issue("server")];
    const live = await liveDomain();
    const address = await live.domain.listen("tls:127.0.0.1:0", { tls: { ...server, tc: authority.cert } });
    const lines: string[] = [];
    const write = (text: string) => void lines.push(text);
    const log = { debug: write, info: write, warn: write, error: write };
    for (const [PAF_DEBUG, traced] of [
      ["true", true],
      ["false", false],
    ] as const) {
      lines.length = 0;
      const servers = [{ address, tls: { ...client, tc: authority.cert } }];
      const domain = attach({ servers }, { env: { ...ENV, PAF_DEBUG }, log });
      domains.push(domain);
      domain.publish({ name: "secret?" });
      await new Consumer(domain).sees(1);
      await domain.close();
      assert.is(
        lines.some((line) => /(sent|received) \{/.test(line)),
        traced,
        lines.join("\n"),
      );
      const key = readFileSync(client.key, "utf8").split("\n")[1]!;
      assert.not(lines.some((line) => line.includes(key) || line.includes("PRIVATE KEY")));
    }
    live.close();
  });
}

test("an address in the place of the name: a domain of that one server, unless there is a file of that name", async () => {
  const env = { ...ENV, PAF_DOMAINS: directory };
  const domain = attach(a.address, { env });
  domains.push(domain);
  await soon(domain.connected(), "the connection");
  assert.is(domain.links[0]!.address, a.address);
  assert.is(domain.domainFileError, undefined);
  domain.setServers([b.address]);
  assert.equal(
    domain.links.map(({ address }) => address),
    [b.address],
  );
  assert.throws(
    () => attach("tcp:host", { env }),
    (error: unknown) => error instanceof TransportError && /port is missing/.test(error.message),
  );
  writeFileSync(join(directory, "tcp:named"), `${a.address}\n`);
  const named = attach("tcp:named", { env });
  domains.push(named);
  await soon(named.connected(), "the connection");
  assert.is(named.links[0]!.address, a.address);
});

test("a name without a file is seen: the error, the callback once, and none when the file is there", async () => {
  const told: DomainFileError[] = [];
  const watch = new Watch();
  const onDomainFileError = (error: DomainFileError) => {
    told.push(error);
    watch.happened();
  };
  const domain = attach("d", { env: { ...ENV, PAF_DOMAINS: directory }, onDomainFileError });
  domains.push(domain);
  await watch.until(() => told.length === 1, "the error");
  assert.instance(told[0], DomainFileError);
  assert.match(told[0]!.message, /domain file .*\/d: no such file/);
  assert.is(domain.domainFileError, told[0]);
  write(`${a.address}\n`);
  await soon(domain.connected(), "the connection");
  assert.is(domain.domainFileError, undefined);
  write("{");
  await watch.until(() => told.length === 2, "the next error");
  assert.match(told[1]!.message, /not JSON/);
});

test("an attached domain keeps the process alive, although nothing else does: no server, no file and no rescan", async () => {
  const script = compile(`
    import { attach } from "./src/client/index.ts";
    const [where] = process.argv.slice(2);
    const domain = attach(where === "" ? { servers: [] } : where);
    const reading = (async () => { for await (const _ of domain.matches()); return "ended"; })();
    // Nothing of this keeps the process alive.
    process.on("beforeExit", () => console.log("nothing to do"));
    setTimeout(async () => {
      await domain.close();
      console.log(await reading);
    }, 300).unref();
  `);
  for (const where of ["", "nothing"]) {
    const env = { PAF_DOMAINS: directory, PAF_RESCAN: "0" };
    const { code, output } = await soon(new Program(script, { args: [where], env }).ends(), "the program's end");
    assert.equal({ code, output }, { code: 0, output: "ended\nnothing to do\n" });
  }
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
