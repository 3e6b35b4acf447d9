/** Mutated queries, probes and responses through the publisher: nothing throws, nothing grows, and it goes on publishing. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { SILENT } from "../../../../src/core/log.js";
import { encodeMessage } from "../../../../src/gateway/mdns/link.js";
import { dnsPacket } from "../../../../src/gateway/mdns/name-codec.js";
import type { DecodedMessage } from "../../../../src/gateway/mdns/records.js";
import { Publisher } from "../../../../src/gateway/mdns/responder/publisher.js";
import { RememberedNames } from "../../../../src/gateway/mdns/responder/remembered-names.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { generator, mutate, CORPUS as RESPONSES } from "../mutated-packets.js";

const ROUNDS = 100_000;
const TYPE = "_x._tcp.local";
const srv = (label: string, port: number) =>
  ({
    name: `${label}.${TYPE}`,
    type: "SRV",
    ttl: 120,
    data: { priority: 0, weight: 0, port, target: "pf-gw.local" },
  }) as const;
const ask = (name: string, type = "ANY", qu = false) => ({ name, type, qu });

const CORPUS = [
  ...RESPONSES,
  ...[
    { questions: [ask(TYPE, "PTR"), ask("_services._dns-sd._udp.local", "PTR", true), ask("a._x._tcp.local")] },
    { questions: [ask("a._x._tcp.local", "SRV"), ask("pf-gw.local", "AAAA"), ask("v1\\.0 b._x._tcp.local", "TXT")] },
    {
      truncated: true,
      questions: [ask(TYPE, "PTR")],
      answers: [{ name: TYPE, type: "PTR", ttl: 4000, data: `a.${TYPE}` }],
    },
    { questions: [], answers: [{ name: TYPE, type: "PTR", ttl: 4000, data: `v1\\.0 b.${TYPE}` }] },
    { questions: [ask(`a.${TYPE}`)], authorities: [srv("a", 1)] },
    {
      questions: [ask(`a.${TYPE}`, "ANY", true)],
      authorities: [srv("a", 60_000), { ...srv("a", 1), type: "HINFO", data: { cpu: "a", os: "b" } }],
    },
  ].map((message) => encodeMessage({ type: "query", ...message })),
  encodeMessage({ type: "response", answers: [{ ...srv("a", 80), flush: true }] }),
  encodeMessage({ type: "response", answers: [{ ...srv("a", 80), ttl: 0 }] }),
];

test(`${ROUNDS} mutated packets`, () => {
  const random = generator(20261122);
  const clock = new FakeClock();
  let sent = 0;
  let toPeers = 0;
  const publisher = new Publisher({
    clock,
    timers: clock,
    random: () => random(1000) / 1000,
    log: SILENT,
    names: new RememberedNames(),
    hostLabel: "pf-gw",
    isOwnAddress: () => false,
  });
  const responder = publisher.add({
    linkName: "eth0",
    interfaceName: "eth0",
    addresses: () => ["10.0.0.1", "fe80::1"],
    send: (message, to) => {
      sent++;
      if (to) toPeers++;
      if (encodeMessage(message).length > 1400 && !message.id) assert.unreachable("a packet of more than 1400 bytes");
    },
  });
  for (const label of ["a", "v1.0 b", "c", "d"]) {
    publisher.put(label, {
      sdid: label,
      label,
      type: "_x._tcp",
      subtypes: ["_s"],
      port: 80,
      txt: [Buffer.from("v=1")],
    });
  }
  let decoded = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let message: DecodedMessage;
    try {
      message = dnsPacket.decode(mutate(CORPUS[random(CORPUS.length)], random)) as DecodedMessage;
    } catch {
      continue;
    }
    decoded++;
    const from = { address: `10.0.0.${random(9)}`, port: random(3) === 0 ? random(65_536) : 5353 };
    if (message.type === "query") responder.query(message, from);
    else responder.response(message);
    if (random(10) === 0) clock.advanceMs(random(2000));
  }
  assert.ok(
    decoded > ROUNDS / 10 && sent > 1000 && toPeers > 100,
    `${decoded} decoded, ${sent} sent, ${toPeers} to peers`,
  );
  clock.advanceMs(600_000);
  assert.equal(publisher.counts, { published: 4, probing: 0, standby: 0 });
  assert.equal(clock.timers(), [], "quiet again");
});

test.run();
