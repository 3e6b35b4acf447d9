/** The directory of domain files, on a real file system. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  addressLines,
  checkDomainName,
  isAddress,
  listDomains,
  readDomain,
} from "../../src/client/domain-directory.js";

const test = suite("domain directory");
const directory = mkdtempSync(join(tmpdir(), "pathfinder-edge-domains-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));
writeFileSync(join(directory, "lab"), "ux:a\ntcp:h:1\n");
writeFileSync(join(directory, "empty"), "");
writeFileSync(join(directory, "broken"), '{"servers":[\n1]}');
writeFileSync(join(directory, "large"), "");
truncateSync(join(directory, "large"), 1e12); // a hole: nothing of it is stored
mkdirSync(join(directory, "folder"));
symlinkSync("lab", join(directory, "link"));
symlinkSync("nowhere", join(directory, "dangling"));
symlinkSync("/dev/zero", join(directory, "device"));
const pipe = spawnSync("mkfifo", [join(directory, "pipe")]).status === 0;

test("a domain is read, also through a link; an empty one has no servers", async () => {
  const servers = [{ address: "ux:a" }, { address: "tcp:h:1" }];
  assert.equal(await readDomain(directory, "lab"), { found: servers });
  assert.equal(await readDomain(directory, "link"), { found: servers });
  assert.equal(await readDomain(directory, "empty"), { found: [] });
});

for (const [domain, said] of [
  ["missing", `domain file ${directory}/missing: no such file or directory (ENOENT)`],
  ["dangling", "no such file or directory (ENOENT)"],
  ["broken", `domain file ${directory}/broken, line 2: servers[0] is 1 (an object is accepted)`],
  ["large", "65536 bytes or more; it must have fewer than 65536"],
  ["folder", `domain file ${directory}/folder: not a regular file`],
  ["device", "not a regular file"],
  ["pipe", pipe ? "not a regular file" : "ENOENT"],
  ["../lab", 'domain "../lab": not a name of a file in'],
  ["..", 'domain "..": not a name of a file in'],
  ["", 'domain "": not a name of a file in'],
  ["a\0b", 'domain "a\\u0000b": not a name of a file in'],
  ["x".repeat(300), "name too long (ENAMETOOLONG)"],
] as const) {
  test(`${JSON.stringify(domain.slice(0, 20))} is no domain, with a reason`, async () => {
    const { found, reason } = await readDomain(directory, domain);
    assert.is(found, undefined);
    assert.ok(reason?.includes(said), reason);
  });
}

test("a directory that is none gives a reason", async () => {
  assert.ok((await readDomain(join(directory, "lab"), "x")).reason?.includes("not a directory (ENOTDIR)"));
  assert.ok((await readDomain("", "lab")).reason);
  const { found, reason } = await listDomains(join(directory, "none"));
  assert.is(found, undefined);
  assert.is(reason, `directory ${directory}/none: no such file or directory (ENOENT)`);
});

test("all domains are listed: regular files and links to such, sorted", async () => {
  assert.equal(await listDomains(directory), { found: ["broken", "empty", "lab", "large", "link"] });
});

test("addresses as pafc -a prints them", async () => {
  assert.is(addressLines((await readDomain(directory, "lab")).found), "ux:a\ntcp:h:1\n");
  assert.is(addressLines((await readDomain(directory, "missing")).found), "\n");
});

test("no descriptor stays open", async () => {
  const before = readdirSync("/proc/self/fd").length;
  for (const domain of ["lab", "broken", "large", "folder", "device", "missing"]) await readDomain(directory, domain);
  await listDomains(directory);
  assert.is(readdirSync("/proc/self/fd").length, before);
});
test("an address or a name: what has a colon is an address, unless there is a file of that name", () => {
  writeFileSync(join(directory, "tcp:there"), "");
  assert.equal(
    ["home", "tcp:hub:4711", "ux:a/b", "tcp:there", "nonsense:", ""].map((text) => isAddress(directory, text)),
    [false, true, true, false, true, false],
  );
  for (const name of ["", ".", "..", "a/b", "a\0b"]) assert.throws(() => checkDomainName(name), /the name of a file/);
  checkDomainName("home");
});

test.run();
