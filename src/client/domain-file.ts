/**
 * Domain files: which servers a domain has (libpaf-client.md, 3). Valid as a whole or not at all. Whether an address can be
 * connected to is not looked at, as in the reference: a transport that this host does not know concerns its one link.
 */

import { jsonString } from "../core/printable.js";
import type { TlsFiles } from "../transport/index.js";
import { type JsonNode, JsonSyntaxError, parseJsonTree } from "./json-tree.js";
import type { ServerConfig } from "./server-config.js";

/** A domain file is smaller than this. */
export const DOMAIN_FILE_LIMIT_BYTES = 65_536;

const MAX_ADDRESS_BYTES = 578;
/** XCM's general form: the name of a transport, a colon, something; no white space. */
const ADDRESS = /^[^\s:]{1,32}:\S*$/;
const MAX_SHOWN_LENGTH = 80;

/** Why a domain file can not be read or is not valid. The text names the file, the line, the key and what is accepted. */
export class DomainFileError extends Error {
  override readonly name = "DomainFileError";
}

/** Throws a `DomainFileError`; `file` is the name for its text. The order of the servers is that of the file. */
export function parseDomainFile(bytes: Uint8Array, file: string): readonly ServerConfig[] {
  const refuse: Refuse = (line, problem) => {
    throw new DomainFileError(`domain file ${file}${line === undefined ? "" : `, line ${line}`}: ${problem}`);
  };
  if (bytes.length >= DOMAIN_FILE_LIMIT_BYTES) {
    refuse(undefined, `${bytes.length} bytes or more; it must have fewer than ${DOMAIN_FILE_LIMIT_BYTES}`);
  }
  const text = decode(bytes) ?? refuse(undefined, "not UTF-8 text");
  const servers = /^[ \t\r\n]*\{/.test(text) ? fromJson(text, refuse) : fromLines(text, refuse);
  const lines = new Map<string, number>();
  for (const { server, line } of servers) {
    const { address } = server;
    const before = lines.get(address);
    if (before !== undefined)
      refuse(line, `the address ${show(address)} is already in line ${before}; accepted is once`);
    lines.set(address, line);
  }
  return servers.map(({ server }) => server);
}

type Refuse = (line: number | undefined, problem: string) => never;

/** `line` is where the address stands. */
interface PlacedServer {
  readonly server: ServerConfig;
  readonly line: number;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function show(text: string): string {
  return jsonString(text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text);
}

function checkAddress(address: string, line: number, what: string, refuse: Refuse): string {
  if (Buffer.byteLength(address) <= MAX_ADDRESS_BYTES && ADDRESS.test(address) && !address.includes("\0"))
    return address;
  const accepted = `an address such as "tls:HOST:PORT" without white space, of ${MAX_ADDRESS_BYTES} bytes at most`;
  return refuse(line, `${what} ${show(address)} is not an XCM address (${accepted}, is accepted)`);
}

/** An address a line; blanks around it, empty lines and comments do not count. */
function fromLines(text: string, refuse: Refuse): PlacedServer[] {
  return text.split("\n").flatMap((written, i) => {
    const address = written.replace(/^[ \t\r\v\f]+/, "").replace(/[ \t\r\v\f]+$/, "");
    if (address === "" || address.startsWith("#")) return [];
    return [{ server: { address: checkAddress(address, i + 1, "the text", refuse) }, line: i + 1 }];
  });
}

function fromJson(text: string, refuse: Refuse): PlacedServer[] {
  let root: JsonNode;
  try {
    root = parseJsonTree(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return refuse(error.line, `not JSON: ${error.problem}`);
  }
  const servers = root.kind === "object" ? root.members.get("servers") : undefined;
  if (servers === undefined) return refuse(root.line, '"servers" is missing (an array of objects is needed)');
  if (servers.kind !== "array") return refuse(servers.line, `"servers" is ${nameOf(servers)} (an array is accepted)`);
  return servers.elements.map((element, i) => new ServerReader(element, `servers[${i}]`, refuse).read());
}

function nameOf(node: JsonNode): string {
  if (node.kind === "array") return "an array";
  if (node.kind === "object") return "an object";
  return node.kind === "string" ? `the string ${show(node.text)}` : show(node.text).slice(1, -1);
}

const TLS_KEYS = {
  cert: "tlsCertificateFile",
  key: "tlsKeyFile",
  tc: "tlsTrustedCaFile",
  crl: "tlsCrlFile",
} as const;

/** One object of `servers`. Keys that are not known are ignored. */
class ServerReader {
  private readonly members: ReadonlyMap<string, JsonNode>;

  constructor(
    private readonly node: JsonNode,
    private readonly path: string,
    private readonly refuse: Refuse,
  ) {
    if (node.kind !== "object") refuse(node.line, `${path} is ${nameOf(node)} (an object is accepted)`);
    this.members = node.kind === "object" ? node.members : new Map();
  }

  read(): PlacedServer {
    const place = this.members.get("address");
    const written = this.text("address");
    if (place === undefined || written === undefined) {
      return this.refuse(this.node.line, `${this.path}.address is missing (an XCM address is needed)`);
    }
    const address = checkAddress(written, place.line, `${this.path}.address`, this.refuse);
    const server = {
      address,
      localAddress: this.text("localAddress"),
      networkNamespace: this.text("networkNamespace"),
      tls: this.tls(address),
      ...this.range("minProtocolVersion", "maxProtocolVersion", true),
      ...this.idle(),
    };
    // What is not set is absent, not undefined.
    const set = Object.entries(server).filter(([, value]) => value !== undefined);
    return { server: Object.fromEntries(set) as unknown as ServerConfig, line: place.line };
  }

  private idle(): Pick<{ [key in keyof ServerConfig]: number | undefined }, "minIdleSeconds" | "maxIdleSeconds"> {
    const { minIdleTime, maxIdleTime } = this.range("minIdleTime", "maxIdleTime", false);
    return { minIdleSeconds: minIdleTime, maxIdleSeconds: maxIdleTime };
  }

  private mismatch(key: string, node: JsonNode, accepted: string): never {
    return this.refuse(node.line, `${this.path}.${key} is ${nameOf(node)} (${accepted} is accepted)`);
  }

  private text(key: string): string | undefined {
    const node = this.members.get(key);
    if (node === undefined) return undefined;
    return node.kind === "string" ? node.text : this.mismatch(key, node, "a string");
  }

  private tls(address: string): TlsFiles | undefined {
    const files: { -readonly [key in keyof TlsFiles]: string } = {};
    for (const [item, key] of Object.entries(TLS_KEYS) as [keyof TlsFiles, string][]) {
      const name = this.text(key);
      if (name === undefined) continue;
      if (!/^u?tls:/.test(address)) {
        const problem = `${this.path}.${key} is given for the address ${show(address)}`;
        this.refuse(this.members.get(key)!.line, `${problem} (it is accepted with tls: and utls: addresses only)`);
      }
      files[item] = name;
    }
    return Object.keys(files).length > 0 ? files : undefined;
  }

  /** Two numbers of which the first must not be above the second. A negative one is as if it were not there. */
  private range<Key extends string>(min: Key, max: Key, isInteger: boolean): Record<Key, number | undefined> {
    const [low, high] = [this.number(min, isInteger), this.number(max, isInteger)];
    if (low !== undefined && high !== undefined && low > high) {
      const problem = `${this.path}.${min} is ${low}, above ${max}, which is ${high}`;
      this.refuse(this.members.get(min)!.line, `${problem} (it must not be above)`);
    }
    return { [min]: low, [max]: high } as Record<Key, number | undefined>;
  }

  private number(key: string, isInteger: boolean): number | undefined {
    const node = this.members.get(key);
    if (node === undefined) return undefined;
    if (node.kind !== "number" || (isInteger && !node.isInteger)) {
      return this.mismatch(key, node, isInteger ? "an integer" : "a number of seconds");
    }
    return node.value < 0 ? undefined : node.value;
  }
}
