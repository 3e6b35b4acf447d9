/** Names: a hosts file, a hand-made name server on a real socket, and what is asked when that does not know. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as dnsPacket from "dns-packet";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { resolveName } from "../../src/transport/name-resolution.js";

const test = suite("name resolution");
const folder = mkdtempSync(join(tmpdir(), "pathfinder-hosts-"));
const hostsFile = join(folder, "hosts");
let server: Socket;
let servers: string[];
let asked: string[];
/** What the name server answers: addresses, an error, or nothing at all. */
let answer: readonly string[] | "NXDOMAIN" | "silence";
let onQuestion: () => void;
let lookups: string[];

const lookup = async (name: string) => {
  lookups.push(name);
  return ["192.0.2.99"];
};
const resolve = (name: string, signal?: AbortSignal) => resolveName(name, signal, { servers, hostsFile, lookup });

test.before(async () => {
  server = createSocket("udp4");
  server.on("message", (message, { address, port }) => {
    const { id, questions } = dnsPacket.decode(message);
    const [{ name, type }] = questions!;
    asked.push(`${name} ${type}`);
    onQuestion();
    if (answer === "silence") return;
    const found = answer === "NXDOMAIN" ? [] : answer.filter((one) => one.includes(":") === (type === "AAAA"));
    const code = answer === "NXDOMAIN" ? 3 : 0;
    server.send(
      dnsPacket.encode({
        type: "response",
        id,
        flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | code,
        questions,
        answers: found.map((data) => ({ type: type as "A" | "AAAA", name, ttl: 1, data })),
      }),
      port,
      address,
    );
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  servers = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
});

test.before.each(() => {
  asked = [];
  lookups = [];
  answer = "NXDOMAIN";
  onQuestion = () => {};
  writeFileSync(hostsFile, "");
});

test.after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test("the hosts file comes first; comments, case, aliases and broken lines in it", async () => {
  writeFileSync(
    hostsFile,
    "# 192.0.2.1 board\n192.0.2.2\tother BOARD # the board\r\nnonsense board\n192.0.2.3 board.lan\n192.0.2.4 board board\n",
  );
  assert.equal(await resolve("Board"), ["192.0.2.2", "192.0.2.4"]);
  assert.equal(await resolve("board."), ["192.0.2.2", "192.0.2.4"]);
  assert.equal(asked, []);
});

test("DNS is asked for both families; IPv6 loopback before IPv4 where there is one", async () => {
  answer = ["192.0.2.7", "::1"];
  assert.equal([...(await resolve("board.lan"))].sort(), ["192.0.2.7", "::1"]);
  assert.equal(asked.sort(), ["board.lan A", "board.lan AAAA"]);
  assert.equal(lookups, []);
});

test("one family is enough", async () => {
  answer = ["192.0.2.7"];
  assert.equal(await resolve("board.lan"), ["192.0.2.7"]);
});

test("what DNS does not know is asked of the system, once for all who ask meanwhile", async () => {
  assert.equal(await Promise.all([resolve("lamp.local"), resolve("lamp.local")]), [["192.0.2.99"], ["192.0.2.99"]]);
  assert.ok(lookups.length <= 2); // one, unless the second answer of the name server came late
  assert.equal(new Set(lookups), new Set(["lamp.local"]));
});

test("a name server that does not answer: given up at once when nobody wants to know any more, and nothing is left", async () => {
  answer = "silence";
  const stop = new AbortController();
  onQuestion = () => stop.abort();
  const error = await resolve("board.lan", stop.signal).then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason,
  );
  assert.is(error?.code, "ECANCELLED");
  assert.equal(lookups, []);
  const left = (process as unknown as { getActiveResourcesInfo(): string[] }) // not in the types of Node.js 18
    .getActiveResourcesInfo()
    .filter((kind) => /query|getaddrinfo/i.test(kind));
  assert.equal(left, []);
});

test("a question that is given up before it was asked is not asked", async () => {
  const stop = new AbortController();
  stop.abort();
  assert.instance(await resolve("board.lan", stop.signal).catch((error: unknown) => error), Error);
  assert.equal(asked, []);
});

test.run();
