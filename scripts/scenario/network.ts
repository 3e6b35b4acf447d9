/**
 * Hosts with a network of their own on one bridge, made of anonymous network namespaces, and what can go wrong between
 * them. This process must be root of its own namespace (main.ts starts it so); everything is gone when it ends.
 */

import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);
const BRIDGE = "br0";
const NAMED_NAMESPACES = "/run/netns";
export const UNSHARE = [
  process.getuid?.() === 0 ? "-mn" : "-Urmn",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
] as const;

/** Why there can be no network of namespaces here; `undefined` if there can be one. */
export function missingForNetwork(): string | undefined {
  const missing = ["ip", "tc", "nsenter", "unshare"].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status,
  );
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  return spawnSync("unshare", [...UNSHARE, "true"]).status === 0 ? undefined : "namespaces are not allowed here";
}

/** How packets are lost: at random (netem), or, where the kernel has no netem, those that do not fit a narrow pipe. */
const NETEM = ["netem", "loss", "25%", "delay", "20ms", "20ms"];
const NARROW = ["tbf", "rate", "96kbit", "burst", "1600", "limit", "3200"];

export class Host {
  private constructor(
    readonly name: string,
    readonly address: string,
    private readonly keeper: ChildProcess,
  ) {}

  /** What to put before a command so that it runs on this host. */
  get prefix(): readonly string[] {
    return ["nsenter", "-t", String(this.keeper.pid), "-n", "--"];
  }

  private get port(): string {
    return `v-${this.name}`;
  }

  static async create(name: string, address: string): Promise<Host> {
    // Ends when its input does: with this process.
    const keeper = spawn("unshare", ["-n", "cat"], { stdio: ["pipe", "ignore", "inherit"] });
    const own = readlinkSync("/proc/self/ns/net");
    while (readlinkSync(`/proc/${keeper.pid}/ns/net`) === own) await new Promise((resolve) => setTimeout(resolve, 5));
    const host = new Host(name, address, keeper);
    await ip("link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", String(keeper.pid));
    await ip("link", "set", host.port, "master", BRIDGE, "up");
    await host.on("ip", "link", "set", "lo", "up");
    await host.on("ip", "address", "add", `${address}/24`, "dev", "eth0");
    await host.on("ip", "link", "set", "eth0", "up");
    return host;
  }

  /** Makes the network namespace known to clients in others, by this host's name (`networkNamespace` in domain files). */
  async announce(): Promise<void> {
    await run("mkdir", ["-p", NAMED_NAMESPACES]);
    await ip("netns", "attach", this.name, String(this.keeper.pid));
  }

  /** Runs a command on this host, to its end. */
  async on(...command: readonly string[]): Promise<void> {
    const [program, ...args] = [...this.prefix, ...command];
    await run(program!, args);
  }

  /** No packet passes, in either direction, for anybody. */
  async plug(connected: boolean): Promise<void> {
    await ip("link", "set", this.port, connected ? "up" : "down");
  }

  /** What this host sends to `other` is lost. */
  async mute(other: Host, quiet: boolean): Promise<void> {
    await this.on("ip", "route", quiet ? "add" : "del", "blackhole", `${other.address}/32`);
  }

  /** Many packets are lost in both directions; returns how. */
  async lossy(on: boolean, how: readonly string[]): Promise<void> {
    const qdisc = ["qdisc", on ? "add" : "del", "dev"];
    const rest = on ? ["root", ...how] : ["root"];
    await this.on("tc", ...qdisc, "eth0", ...rest);
    await run("tc", [...qdisc, this.port, ...rest]);
  }

  close(): void {
    this.keeper.kill("SIGKILL");
  }
}

const ip = (...args: readonly string[]) => run("ip", args);

export interface Network {
  /** The arguments of tc that lose packets here. */
  readonly loss: readonly string[];
}

/** Makes the bridge, and room for names of namespaces that nobody else sees. */
export async function createNetwork(): Promise<Network> {
  await run("mount", ["-t", "tmpfs", "none", "/run"]);
  await ip("link", "set", "lo", "up");
  await ip("link", "add", BRIDGE, "type", "bridge", "mcast_snooping", "0");
  await ip("link", "set", BRIDGE, "up");
  const netem = await run("tc", ["qdisc", "add", "dev", "lo", "root", ...NETEM]).then(
    () => true,
    () => false,
  );
  if (netem) await run("tc", ["qdisc", "del", "dev", "lo", "root"]);
  return { loss: netem ? NETEM : NARROW };
}
