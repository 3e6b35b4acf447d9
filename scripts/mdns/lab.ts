/** A lab of namespaces with a gateway in one and hand-made hosts in others, for `npm run fuzz` and `npm run bench`. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { Lab, ROOT } from "../../test/peers/lab.js";
import type { Role } from "./peer.js";

export interface LabEvent {
  readonly event: string;
  readonly name?: string;
  readonly sent?: number;
  readonly properties?: Readonly<Record<string, readonly (string | number)[]>>;
  /** How often each timer fired. */
  readonly timers?: Readonly<Record<string, number>>;
}

/** What the kernel knows of a process and of its host. */
export interface Usage {
  readonly cpuMs: number;
  /** It could have run, but another process had the CPU. */
  readonly waitedMs: number;
  readonly anonymousMiB: number;
  /** Times that any of its threads was given the CPU. */
  readonly switches: number;
  /** Datagrams read on its host, and those that were lost because nobody read them in time. */
  readonly received: number;
  readonly lost: number;
}

export class MdnsLab {
  private serial = 0;
  private readonly files: string[] = [];
  private onWoken: (event: LabEvent) => void = () => {};

  private constructor(private readonly lab: Lab) {}

  static async start(onEvent: (event: LabEvent) => void): Promise<MdnsLab> {
    const lab = await Lab.start();
    const mdns = new MdnsLab(lab);
    lab.onLine = (line) => {
      const event = JSON.parse(line) as LabEvent;
      if (event.event === "woken") mdns.onWoken(event);
      else onEvent(event);
    };
    return mdns;
  }

  /** Another host, with address 10.77.0.`number`. */
  async host(name: string, number: number): Promise<string> {
    await this.lab.run(`host ${name} ${number}`);
    return `10.77.0.${number}`;
  }

  /** Starts the gateway on a host; what it is called for `usage`. */
  gateway(host: string, options: object): Promise<string> {
    return this.program(host, "test/peers/avahi-driver.ts", options);
  }

  peer(host: string, role: Role): Promise<string> {
    return this.program(host, "scripts/mdns/peer.ts", role);
  }

  /** The timers of a gateway that fired since the last call, by name. */
  async woken(process: string): Promise<Readonly<Record<string, number>>> {
    const told = new Promise<LabEvent>((resolve) => (this.onWoken = resolve));
    await this.lab.run(`kill -USR2 $${process}`);
    return (await told).timers!;
  }

  async end(process: string): Promise<void> {
    await this.lab.run(`kill $${process}; wait $${process} || true`);
  }

  async usage(host: string, process: string): Promise<Usage> {
    const text = await this.lab.run(
      `cat /proc/$${process}/task/*/schedstat; grep -h ctxt /proc/$${process}/task/*/status; ` +
        `grep Pss_Anon /proc/$${process}/smaps_rollup; on ${host} grep ^Udp: /proc/net/snmp`,
    );
    const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((total, [, n]) => total + Number(n), 0);
    const [names, values] = [...text.matchAll(/^Udp: (.*)$/gm)].map(([, line]) => line.split(" "));
    const udp = (name: string) => Number(values[names.indexOf(name)]);
    return {
      cpuMs: sum(/^(\d+) \d+ \d+$/gm) / 1e6,
      waitedMs: sum(/^\d+ (\d+) \d+$/gm) / 1e6,
      anonymousMiB: sum(/^Pss_Anon:\s+(\d+)/gm) / 1024,
      switches: sum(/ctxt_switches:\s+(\d+)/g),
      received: udp("InDatagrams"),
      lost: udp("RcvbufErrors"),
    };
  }

  async stop(): Promise<void> {
    await this.lab.stop();
    for (const file of this.files) rmSync(file, { force: true });
  }

  private async program(host: string, source: string, options: object): Promise<string> {
    const name = `p${this.serial++}`;
    const outfile = join(ROOT, `.cache/mdns-${process.pid}-${name}.cjs`);
    this.files.push(outfile);
    await build({
      entryPoints: [join(ROOT, source)],
      outfile,
      bundle: true,
      platform: "node",
      target: "node18",
      format: "cjs",
      logLevel: "error",
    });
    await this.lab.run(`on_exec ${host} ${process.execPath} ${outfile} '${JSON.stringify(options)}' & ${name}=$!`);
    return name;
  }
}
