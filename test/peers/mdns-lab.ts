/** A lab with mDNS gateways that publish (mdns-outbound-driver.ts), and what avahi-browse shows of them. */

import { join } from "node:path";
import { build } from "esbuild";
import { Lab, ROOT } from "./lab.js";

export const OUTBOUND_DRIVER = join(ROOT, `.cache/mdns-outbound-driver-${process.pid}.cjs`);

export const buildOutboundDriver = () =>
  build({
    entryPoints: [join(ROOT, "test/peers/mdns-outbound-driver.ts")],
    outfile: OUTBOUND_DRIVER,
    bundle: true,
    platform: "node",
    target: "node18",
    format: "cjs",
  });

export interface Event {
  readonly from: string;
  readonly event: "started" | "stopped" | "state" | "log";
  readonly text?: string;
  readonly counts?: Readonly<Record<string, number>>;
  readonly dropped?: Readonly<Record<string, number>>;
}

/** One resolved line of avahi-browse. */
export interface Resolved {
  readonly interfaceName: string;
  readonly family: "IPv4" | "IPv6";
  readonly name: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** Sorted; bytes as latin1. */
  readonly txt: readonly string[];
}

export type Shown = Readonly<Record<string, unknown>>;

export class MdnsLab {
  readonly events: Event[] = [];
  private checks: (() => void)[] = [];

  private constructor(readonly lab: Lab) {
    lab.onLine = (line) => {
      this.events.push(JSON.parse(line));
      for (const check of [...this.checks]) check();
    };
  }

  static async start(hosts: string): Promise<MdnsLab> {
    const bench = new MdnsLab(await Lab.start());
    await bench.lab.run(hosts);
    return bench;
  }

  run(line: string): Promise<string> {
    return this.lab.run(line);
  }

  async stop(): Promise<void> {
    await this.lab.stop();
  }

  /** Starts a gateway on a host; several must be on different ones. */
  async gateway(host: string, options: object = {}): Promise<void> {
    const all = {
      types: ["_none._tcp"],
      interfacePollSeconds: 0.5,
      gatewayName: host,
      publish: [{ filter: "(name=*)", type: "_http._tcp" }],
      ...options,
    };
    const before = this.events.length;
    const fifo = `$D/${host}.in`;
    await this.run(
      `[ -p ${fifo} ] || mkfifo ${fifo}; exec {to_${host}}<>${fifo}; ` +
        `on_exec ${host} ${process.execPath} ${OUTBOUND_DRIVER} '${JSON.stringify(all)}' ${host} <${fifo} & gw_${host}=$!`,
    );
    await this.seen(`start of ${host}`, ({ from, event }) => from === host && event === "started", before);
  }

  /** Ends a gateway, and waits until it is gone. */
  async end(host: string, signal = "TERM"): Promise<void> {
    await this.run(`kill -${signal} $gw_${host}; wait $gw_${host} 2>/dev/null; true`);
  }

  /** Lets the gateway's directory show a service, or (without properties) withdraw it. */
  async say(host: string, id: string, properties?: Shown): Promise<void> {
    const json = JSON.stringify({ id, ...(properties && { properties }) });
    await this.run(`printf '%s\\n' '${json.replaceAll("'", "'\\''")}' >&$to_${host}`);
  }

  /** The first event that fits, of those after the `after`th. */
  seen(what: string, fits: (event: Event) => boolean, after = 0, limitMs = 15_000): Promise<Event> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.events.slice(after).find(fits);
        if (!found) return;
        end();
        resolve(found);
      };
      const end = () => {
        clearTimeout(limit);
        this.checks = this.checks.filter((other) => other !== check);
      };
      const limit = setTimeout(() => {
        end();
        reject(new Error(`not seen within ${limitMs} ms: ${what}; but ${JSON.stringify(this.events.slice(-12))}`));
      }, limitMs);
      this.checks.push(check);
      check();
    });
  }

  /** Waits until so many services of a gateway are published on all of its links. */
  published(host: string, number: number, limitMs?: number): Promise<Event> {
    const before = this.events.length;
    const fits = ({ from, counts }: Event) => from === host && counts?.published === number && counts.probing === 0;
    const last = this.events.filter(({ from, event }) => from === host && event === "state").at(-1);
    return last && fits(last)
      ? Promise.resolve(last)
      : this.seen(`${number} services of ${host} published`, fits, before, limitMs);
  }

  /** What avahi on that host can resolve of a type now. */
  async browse(host: string, type = "_http._tcp", interfaceName = "eth0"): Promise<Resolved[]> {
    const output = await this.run(
      `nsenter -t $(cat $D/${host}/pid) -m -n -- timeout 20 avahi-browse -rtp ${type} 2>/dev/null; true`,
    );
    return output
      .split("\n")
      .filter((line) => line.startsWith("="))
      .map(resolved)
      .filter((line) => line.interfaceName === interfaceName);
  }

  /** Lets avahi on that host watch a type from now on; `disappearances` tells what it missed. */
  async watch(host: string, type = "_http._tcp"): Promise<void> {
    await this.run(
      `nsenter -t $(cat $D/${host}/pid) -m -n -- avahi-browse -p ${type} >$D/${host}/watched 2>/dev/null </dev/null 3>&- &`,
    );
  }

  /** Each line in which the watching avahi said that something went: `eth0 IPv4 Lamp`. */
  async disappearances(host: string): Promise<string[]> {
    const output = await this.run(`cat $D/${host}/watched`);
    const lines = output.split("\n").filter((line) => line.startsWith("-"));
    return lines.map((line) =>
      line
        .split(/(?<!\\);/)
        .slice(1, 4)
        .join(" "),
    );
  }

  /** Browses until what is shown fits; then that. */
  async browsed(
    host: string,
    what: string,
    fits: (all: readonly Resolved[]) => boolean,
    limitMs = 15_000,
    type?: string,
  ) {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const all = await this.browse(host, type);
      if (fits(all)) return all;
      if (performance.now() > endMs) {
        throw new Error(
          `${what}: not within ${limitMs} ms, but ${JSON.stringify(all)}; ${JSON.stringify(this.events.slice(-8))}`,
        );
      }
    }
  }
}

/** The names that are shown by IPv4, sorted. */
export const names = (all: readonly Resolved[], family = "IPv4") =>
  all
    .filter((line) => line.family === family)
    .map(({ name }) => name)
    .sort();

function resolved(line: string): Resolved {
  const [, interfaceName, family, name, , , host, address, port, ...rest] = line.split(/(?<!\\);/);
  const strings = rest.join(";").matchAll(/"((?:[^"\\]|\\[\s\S])*)"/g);
  return {
    interfaceName,
    family: family as Resolved["family"],
    name: bytes(name).toString("utf8"),
    host,
    address,
    port: Number(port),
    txt: [...strings].map(([, text]) => bytes(text).toString("latin1")).sort(),
  };
}

/** avahi writes a byte as `\DDD`, or a character after a backslash. */
function bytes(text: string): Buffer {
  const parts = text.matchAll(/\\(\d{3})|\\?([\s\S])/gu);
  return Buffer.concat(
    [...parts].map(([, decimal, literal]) => (decimal ? Buffer.of(Number(decimal)) : Buffer.from(literal, "utf8"))),
  );
}
