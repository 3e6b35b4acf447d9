/** A browser on a fake clock, with notes of what it asks and reports. */

import { Browser } from "../../../src/gateway/mdns/browser.js";
import type { Family } from "../../../src/gateway/mdns/link.js";
import type { LinkLimits } from "../../../src/gateway/mdns/link-state.js";
import { dnsPacket } from "../../../src/gateway/mdns/name-codec.js";
import type { QueryMessage } from "../../../src/gateway/mdns/questions.js";
import type { DecodedMessage, HeardRecord } from "../../../src/gateway/mdns/records.js";
import { parseBrowseName } from "../../../src/gateway/mdns/service-names.js";
import { FakeClock } from "../../support/fake-clock.js";

const LIMITS: LinkLimits = { ttlSeconds: 4500, records: 4096, recordsPerSource: 4096, instances: 1024, types: 256 };
export class Bench {
  readonly clock = new FakeClock();
  /** Everything asked: `<ms> TYPE name`. */
  asked: string[] = [];
  readonly messages: QueryMessage[] = [];
  readonly changed: string[] = [];
  readonly dropped: string[] = [];
  readonly browser: Browser;
  families: Family[] = [4];

  constructor(types: string[] | "all" = ["_x._tcp"], limits: Partial<LinkLimits> = {}) {
    this.browser = new Browser({
      interfaceName: "eth0",
      browse: types === "all" ? "all" : types.map(parseBrowseName),
      limits: { ...LIMITS, ...limits },
      clock: this.clock,
      timers: this.clock,
      random: () => 0,
      acceptsAddress: () => true,
      families: () => this.families,
      onDropped: (reason) => this.dropped.push(reason),
      send: (message) => {
        this.messages.push(message);
        for (const { type, name } of message.questions) {
          this.asked.push(`${Math.round(this.clock.monotonicMs())} ${type} ${name}`);
        }
      },
      onChange: (key) => this.changed.push(key),
    });
    this.browser.restart();
  }

  hear(...records: HeardRecord[]): void {
    this.browser.receive(records, "10.0.0.2");
  }

  /** Another host's packet, as the link decodes it. */
  overhear(packet: Buffer, address = "10.0.0.3", port = 5353): void {
    this.browser.overhear(dnsPacket.decode(packet) as DecodedMessage, { address, port });
  }

  view(label = "a") {
    return this.browser.view(`${label}._x._tcp.local`);
  }

  /** What was asked while time passed. */
  during(ms: number): string[] {
    this.asked = [];
    this.clock.advanceMs(ms);
    return this.asked;
  }
}

export interface QueryParts {
  readonly questions?: readonly { readonly name: string; readonly type: string; readonly qu?: boolean }[];
  /** PTR records of type _x._tcp that the asker knows: labels, or with TTL. */
  readonly known?: readonly string[];
  readonly truncated?: boolean;
  /** It is a probe for this name. */
  readonly probe?: string;
}

const QU = 0x8000;

/** The bytes of a query; the QU bit is set by hand, since not every codec can. */
export function queryPacket({ questions = [], known = [], truncated = false, probe }: QueryParts): Buffer {
  const packet = dnsPacket.encode({
    type: "query",
    flags: truncated ? dnsPacket.TRUNCATED_RESPONSE : 0,
    questions: questions.map(({ name, type }) => ({ name, type: type as "PTR" })),
    answers: known.map((label) => ({
      name: "_x._tcp.local",
      type: "PTR" as const,
      ttl: 4000,
      data: `${label}._x._tcp.local`,
    })),
    authorities: probe ? [{ name: probe, type: "A" as const, ttl: 120, data: "10.0.0.9" }] : [],
  });
  let at = 12;
  for (const { qu } of questions) {
    while (packet[at] !== 0 && packet[at] < 0xc0) at += 1 + packet[at];
    at += packet[at] === 0 ? 5 : 6;
    if (qu) packet.writeUInt16BE(packet.readUInt16BE(at - 2) | QU, at - 2);
  }
  return packet;
}
