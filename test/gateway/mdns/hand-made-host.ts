/** A host on a real mDNS socket that does what it is told, right or wrong. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import { nameKey } from "../../../src/gateway/mdns/names.js";
import type { DecodedMessage } from "../../../src/gateway/mdns/records.js";

export const GROUP = "224.0.0.251";
const PORT = 5353;

interface Answer {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly flush?: boolean;
  readonly data: unknown;
}

export interface HostOptions {
  /** Of this host, on the interface to use. */
  readonly address: string;
  /** Send from this address of the interface. Default: `address`. */
  readonly source?: string;
}

export class HandMadeHost {
  /** Called with each query that arrives, our own included. */
  onQuery: (query: DecodedMessage) => void = () => {};
  /** Packets that arrived. */
  received = 0;

  private constructor(
    private readonly receiver: Socket,
    private readonly sender: Socket,
  ) {
    receiver.on("message", (packet) => {
      this.received++;
      let message: DecodedMessage;
      try {
        message = dnsPacket.decode(packet) as DecodedMessage;
      } catch {
        return; // somebody's hostile packet
      }
      if (message.type === "query") this.onQuery(message);
    });
  }

  static async open({ address, source = address }: HostOptions): Promise<HandMadeHost> {
    const receiver = createSocket({ type: "udp4", reuseAddr: true });
    receiver.bind(PORT, GROUP);
    await once(receiver, "listening");
    receiver.addMembership(GROUP, address);
    const sender = createSocket({ type: "udp4", reuseAddr: true });
    sender.bind(PORT, source);
    await once(sender, "listening");
    sender.setMulticastInterface(address);
    sender.setMulticastTTL(255);
    return new HandMadeHost(receiver, sender);
  }

  /** Resolves when the kernel has taken it. */
  send(packet: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sender.send(packet, PORT, GROUP, (error) => (error ? reject(error) : resolve()));
    });
  }

  respond(answers: readonly Answer[], additionals: readonly Answer[] = []): Promise<void> {
    const message = { type: "response", flags: dnsPacket.AUTHORITATIVE_ANSWER, answers, additionals };
    return this.send(dnsPacket.encode(message as dnsPacket.Packet));
  }

  close(): void {
    this.receiver.close();
    this.sender.close();
  }
}

export interface HandMadeService {
  readonly label: string;
  readonly type: string;
  readonly host: string;
  readonly address: string;
  readonly txt?: readonly string[];
}

/** All records of a service, by what they answer. */
export function recordsOf({ label, type, host, address, txt = ["v=1"] }: HandMadeService) {
  const name = `${label}.${type}.local`;
  const strings = txt.map((string) => Buffer.from(string));
  return {
    ptr: { name: `${type}.local`, type: "PTR", ttl: 4500, data: name },
    srv: { name, type: "SRV", ttl: 120, flush: true, data: { port: 80, target: `${host}.local` } },
    txt: { name, type: "TXT", ttl: 4500, flush: true, data: strings },
    a: { name: `${host}.local`, type: "A", ttl: 120, flush: true, data: address },
    nsec: {
      name: `${host}.local`,
      type: "NSEC",
      ttl: 120,
      flush: true,
      data: { nextDomain: `${host}.local`, rrtypes: ["A"] },
    },
  } as const satisfies Record<string, Answer>;
}

/** So many answers fit into a packet. */
const ANSWERS_IN_RESPONSE = 10;

/**
 * Answers for these services, each question with its record alone, and a question for an address it has not with NSEC.
 * Known answers are left out. `answered` counts.
 */
export class HandMadeResponder {
  answered = 0;
  /** By type and name. */
  private readonly records = new Map<string, Answer[]>();

  constructor(
    private readonly host: HandMadeHost,
    services: readonly HandMadeService[] = [],
  ) {
    for (const service of services) this.add(service);
    host.onQuery = (query) => void this.answer(query);
  }

  add(service: HandMadeService): void {
    const { ptr, srv, txt, a, nsec } = recordsOf(service);
    for (const record of [ptr, srv, txt, a]) this.store(record.type, record.name, record);
    this.store("AAAA", nsec.name, nsec);
  }

  private store(type: string, name: string, record: Answer): void {
    const key = `${type} ${nameKey(name)}`;
    const present = this.records.get(key);
    if (!present) this.records.set(key, [record]);
    else if (type === "PTR") present.push(record);
  }

  private async answer({ questions = [], answers: known = [] }: DecodedMessage): Promise<void> {
    const listed = new Set(known.map(({ name, data }) => `${nameKey(name)} ${String(data)}`));
    const answers = questions
      .flatMap(({ type, name }) => this.records.get(`${type} ${nameKey(name)}`) ?? [])
      .filter(({ name, type, data }) => type !== "PTR" || !listed.has(`${nameKey(name)} ${String(data)}`));
    for (let at = 0; at < answers.length; at += ANSWERS_IN_RESPONSE) {
      const part = answers.slice(at, at + ANSWERS_IN_RESPONSE);
      this.answered += part.length;
      await this.host.respond(part);
    }
  }
}
