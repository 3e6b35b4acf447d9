/** The two bridged brokers, and what they keep and carry. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { bridgeTo, Link } from "../../test/peers/link.js";
import { Mosquitto } from "../../test/peers/mosquitto.js";
import { BROKERS, type Part } from "./plan.js";

type Name = (typeof BROKERS)[number];

/** Everything of the native convention and of the federation, both ways: one site, one directory (D.6, E.1). */
const BRIDGED = ["sd1/#", "pf1/#"];

export interface Brokers extends Record<Name, Mosquitto> {
  /** What the bridge goes through. */
  readonly link: Link;
}

/** North forgets everything when it is killed, and makes the bridge; south keeps what it is told. */
export async function startBrokers(): Promise<Brokers> {
  const south = await Mosquitto.started({ persistence: true });
  const link = await Link.to(south.port);
  try {
    return { north: await Mosquitto.started({ lines: bridgeTo(link.port, BRIDGED) }), south, link };
  } catch (error) {
    await link.end();
    await south.end();
    throw error;
  }
}

/** What a broker keeps, and how many messages of which trees it carries in so many seconds. */
export interface Traffic {
  /** By topic. */
  readonly kept: ReadonlyMap<string, string>;
  /** By topic. */
  readonly live: ReadonlyMap<string, number>;
}

export async function listen({ host, port }: Mosquitto, seconds: number): Promise<Traffic> {
  const args = ["-h", host, "-p", String(port), "-t", "#", "-F", "%r %t %p", "-W", String(seconds)];
  // It says "Timed out" on standard error.
  const child = spawn("mosquitto_sub", args, { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  await once(child, "close");
  const kept = new Map<string, string>();
  const live = new Map<string, number>();
  for (const line of said.split("\n")) {
    const [, retained, topic, payload] = /^([01]) (\S+) ?(.*)$/.exec(line) ?? [];
    if (topic === undefined) continue;
    if (retained === "1") kept.set(topic, payload!);
    else live.set(topic, (live.get(topic) ?? 0) + 1);
  }
  return { kept, live };
}

/** What is wrong with what the brokers keep when everything is quiet: it must be the same, and each thing there once. */
export function keptWrongly(
  kept: Readonly<Record<Name, ReadonlyMap<string, string>>>,
  ids: readonly string[],
): string[] {
  const wrong: string[] = [];
  const ours = (name: Name) => [...kept[name]].filter(([topic]) => /^(?:pf1|sd1\/[mg])\//.test(topic));
  const [north, south] = BROKERS.map(ours) as [[string, string][], [string, string][]];
  for (const [topic, payload] of north) {
    const other = kept.south.get(topic);
    if (other === undefined || withoutAge(other) !== withoutAge(payload))
      wrong.push(`${topic}: north keeps ${payload}, south ${other}`);
  }
  for (const [topic] of south) if (!kept.north.has(topic)) wrong.push(`${topic}: only south keeps it`);
  for (const tree of ["pf1/site/s", "sd1/m"]) {
    const there = north.filter(([topic]) => topic.startsWith(`${tree}/`)).map(([topic]) => topic.split("/").at(-1)!);
    for (const id of ids) {
      const count = there.filter((one) => one === id).length;
      if (count !== 1) wrong.push(`${tree}/+/${id} is kept ${count} times`);
    }
    const more = there.filter((id) => !ids.includes(id));
    if (more.length > 0) wrong.push(`${tree}: kept, but nowhere shown: ${more.join(", ")}`);
  }
  return wrong;
}

/** Of a board's presence, which grows with each heartbeat. */
const withoutAge = (payload: string) => payload.replace(/^([12];[0-9a-f]{12});[0-9]+;/, "$1;");

export const isBrokerName = (part: Part): part is Name => BROKERS.some((name) => name === part);
