/**
 * A hand-made host in a lab, as a process of its own; argument 1 is its role as JSON. What it has to tell goes to
 * descriptor 3, one JSON object a line. Ends with SIGTERM, or when its seconds are over.
 */

import { writeSync } from "node:fs";
import { openGroupSocket } from "../../src/gateway/mdns/group-socket.js";
import { listInterfaces } from "../../src/gateway/mdns/interfaces.js";
import { dnsPacket } from "../../src/gateway/mdns/name-codec.js";
import {
  HandMadeHost,
  HandMadeResponder,
  type HandMadeService,
  recordsOf,
} from "../../test/gateway/mdns/hand-made-host.js";
import { CORPUS, generator, mutate } from "../../test/gateway/mdns/mutated-packets.js";

export type Role =
  /** Answers for so many services, each on a host of its own, and announces them once. */
  | { readonly role: "responder"; readonly address: string; readonly services: number; readonly type: string }
  /** Mutated packets at this rate. */
  | {
      readonly role: "flood";
      readonly address: string;
      readonly perSecond: number;
      readonly seconds: number;
      readonly seed: number;
    }
  /** A new service from time to time, announced as responders may: after 0, 1, 3, 7 and 15 s; and answered for. */
  | {
      readonly role: "announcer";
      readonly address: string;
      readonly everySeconds: number;
      readonly seconds: number;
      readonly type: string;
    }
  /** Hears what the gateway hears, decodes it, and does nothing more: the floor. */
  | { readonly role: "floor"; readonly address: string };

const tell = (event: object) => writeSync(3, `${JSON.stringify(event)}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const serviceOf = (label: string, type: string, number: number): HandMadeService => ({
  label,
  type,
  host: label.replaceAll(" ", "-"),
  address: `10.77.${1 + (number >> 8)}.${number & 255}`,
  txt: [`path=/${number}`, "version=1", "model=hand-made"],
});

/** The responses that announce these services, some to a packet. */
async function announce(host: HandMadeHost, services: readonly HandMadeService[]): Promise<void> {
  for (let at = 0; at < services.length; at += 5) {
    const records = services.slice(at, at + 5).flatMap((service) => {
      const { ptr, srv, txt, a, nsec } = recordsOf(service);
      return [ptr, srv, txt, a, nsec];
    });
    await host.respond(records);
    await sleep(10);
  }
}

async function flood(host: HandMadeHost, perSecond: number, seconds: number, seed: number): Promise<void> {
  const random = generator(seed);
  const beganMs = performance.now();
  let sent = 0;
  for (let ms = 0; ms < seconds * 1000; ms = performance.now() - beganMs) {
    const due = Math.min((perSecond * ms) / 1000, sent + 500); // after a pause of this process, no burst
    for (; sent < due; sent++) await host.send(mutate(CORPUS[random(CORPUS.length)], random));
    await sleep(1);
  }
  tell({ event: "flooded", sent });
}

async function announceNew(host: HandMadeHost, type: string, everySeconds: number, seconds: number): Promise<void> {
  const responder = new HandMadeResponder(host);
  for (let i = 0; i * everySeconds < seconds; i++) {
    const service = serviceOf(`real ${i}`, type, i);
    responder.add(service);
    tell({ event: "announced", name: service.label });
    void (async () => {
      for (const waitMs of [0, 1000, 2000, 4000, 8000]) {
        await sleep(waitMs);
        await announce(host, [service]);
      }
    })();
    await sleep(everySeconds * 1000);
  }
}

async function play(role: Role): Promise<void> {
  if (role.role === "floor") {
    const here = listInterfaces().find(({ addresses }) => addresses.some(({ address }) => address === role.address))!;
    const onBroken = (error: Error) => {
      throw error;
    };
    const socket = openGroupSocket({ family: 4, interface: here, onReady() {}, onBroken });
    socket.on("message", (packet) => {
      try {
        dnsPacket.decode(packet);
      } catch {} // somebody's hostile packet
    });
    tell({ event: "ready" });
    return;
  }
  const host = await HandMadeHost.open({ address: role.address });
  tell({ event: "ready" });
  if (role.role === "responder") {
    const services = Array.from({ length: role.services }, (_, i) => serviceOf(`service ${i}`, role.type, i));
    new HandMadeResponder(host, services);
    await announce(host, services);
    tell({ event: "announced", name: "all" });
    return;
  }
  if (role.role === "flood") await flood(host, role.perSecond, role.seconds, role.seed);
  else await announceNew(host, role.type, role.everySeconds, role.seconds);
  if (role.role === "flood") host.close();
}

process.once("SIGTERM", () => process.exit(0));
void play(JSON.parse(process.argv[2]));
