/** Fuzz target: domain files of both formats, written from a known list of servers, then perhaps damaged. */

import { DomainFileError, parseDomainFile } from "../../src/client/domain-file.js";
import { type JsonNode, JsonSyntaxError, parseJsonTree } from "../../src/client/json-tree.js";
import type { ServerConfig } from "../../src/client/server-config.js";
import { mutate } from "./mutate.js";
import { SeededRandom } from "./random.js";

const ADDRESSES = ["ux:a", "uxf:/run/å", "tcp:h:1", "tcp:[::1]:2", "tls:h:3", "utls:h:4", "sctp:h:5", 'ux:"\\{'];

function randomServers(random: SeededRandom): ServerConfig[] {
  return random
    .shuffled(ADDRESSES)
    .slice(0, random.below(ADDRESSES.length + 1))
    .map((address) => ({
      address,
      ...(random.below(4) === 0 && { localAddress: "tcp:h:0" }),
      ...(random.below(4) === 0 && { networkNamespace: "blue" }),
      ...(/^u?tls:/.test(address) && random.below(2) === 0 && { tls: { key: "k", crl: "\n" } }),
      ...(random.below(4) === 0 && { minProtocolVersion: random.below(3), maxProtocolVersion: 2 + random.below(3) }),
      ...(random.below(4) === 0 && { minIdleSeconds: random.unit() }),
      ...(random.below(4) === 0 && { maxIdleSeconds: 1 + random.below(9) }),
    }));
}

function asJson(random: SeededRandom, servers: readonly ServerConfig[]): string {
  const objects = servers.map((server) => ({
    address: server.address,
    localAddress: server.localAddress,
    networkNamespace: server.networkNamespace,
    tlsKeyFile: server.tls?.key,
    tlsCrlFile: server.tls?.crl,
    minProtocolVersion: server.minProtocolVersion ?? (random.below(3) === 0 ? -1 : undefined),
    maxProtocolVersion: server.maxProtocolVersion,
    minIdleTime: server.minIdleSeconds,
    maxIdleTime: server.maxIdleSeconds ?? (random.below(3) === 0 ? -0.5 : undefined),
    comment: random.below(3) === 0 ? [{}] : undefined,
  }));
  return random.pick(["", " \r\n\t"]) + JSON.stringify({ servers: objects }, null, random.below(3));
}

function asLines(random: SeededRandom, servers: readonly ServerConfig[]): string {
  const line = ({ address }: ServerConfig) => random.pick(["", "\n", "# tcp:x:1\n", " \t"]) + address;
  return servers.map(line).join(random.pick(["\n", "\r\n"]));
}

/** What the tree of `text` says is what JSON.parse says, or both refuse it; false if they do. */
function checkJson(text: string): void {
  let tree: JsonNode | undefined;
  let problem = "";
  try {
    tree = parseJsonTree(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    problem = error.problem;
  }
  let reference: unknown;
  try {
    reference = JSON.parse(text);
  } catch {
    if (tree !== undefined) throw new Error(`accepted, but no JSON: ${JSON.stringify(text)}`);
    return;
  }
  // The tree refuses more than JSON.parse: deep nesting, large numbers, U+0000.
  if (tree === undefined) {
    if (/deeper than 32 levels|is too large$|U\+0000/.test(problem)) return;
    throw new Error(`refused (${problem}), but it is JSON: ${JSON.stringify(text)}`);
  }
  if (JSON.stringify(plain(tree)) !== JSON.stringify(reference))
    throw new Error(`read otherwise: ${JSON.stringify(text)}`);
}

function plain(node: JsonNode): unknown {
  if (node.kind === "array") return node.elements.map(plain);
  if (node.kind === "object") return Object.fromEntries([...node.members].map(([key, value]) => [key, plain(value)]));
  if (node.kind === "number") return node.value;
  return node.kind === "word" ? JSON.parse(node.text) : node.text;
}

export function domainFileTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  const isJson = random.below(3) > 0;
  const servers = randomServers(random);
  const written = isJson ? asJson(random, servers) : asLines(random, servers);
  let bytes: Uint8Array = Buffer.from(written);
  const damaged = random.below(2) === 0;
  if (damaged && bytes.length > 0) bytes = mutate(random, Buffer.from(bytes), Buffer.from(asJson(random, servers)));
  const shown = () => JSON.stringify(Buffer.from(bytes).toString("latin1").slice(0, 2000));
  if (isJson) checkJson(Buffer.from(bytes).toString());
  let read: readonly ServerConfig[];
  try {
    read = parseDomainFile(bytes, "f");
  } catch (error) {
    if (!(error instanceof DomainFileError)) throw error;
    if (!damaged) throw new Error(`refused (${error.message}): ${shown()}`);
    if (error.message.length > 1000 || /[\0-\x1f]/.test(error.message))
      throw new Error(`text of the error for ${shown()}`);
    return false;
  }
  if (!damaged) {
    const expected = isJson ? servers : servers.map(({ address }) => ({ address }));
    if (JSON.stringify(read) !== JSON.stringify(expected)) {
      throw new Error(`${JSON.stringify(read)}, not ${JSON.stringify(expected)}, from ${shown()}`);
    }
  }
  if (new Set(read.map(({ address }) => address)).size !== read.length)
    throw new Error(`an address twice in ${shown()}`);
  return true;
}
