/**
 * What ends the reference server (pathfinder-protocol.md, 16, and the defects of 3 and 6), sent to a real pafd over ux and
 * TCP: that connection is lost at most, and the witness, the offender's second connection and newcomers go on.
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { boundAddress, Client, type Pafd, startPafd } from "../support/pafd.js";
import { endSoon, freshName } from "../support/transport-peers.js";

test.after(endSoon);

const head = (command: string, type = '"request"', taId = 50) =>
  `"ta-cmd":${command},"ta-id":${taId},"msg-type":${type}`;
const request = (command: string, more = "") => `{${head(`"${command}"`)}${more}}`;
const inform = (taId: number, trackType: string) => `{${head('"track"', '"inform"', taId)},"track-type":${trackType}}`;
const published = (props: string) =>
  request("publish", `,"service-id":7,"generation":0,"ttl":0,"service-props":${props}`);

/** In which a subscription is open in transaction 91 and track in 90. */
const DROPPED: { readonly [row: string]: readonly string[] } = {
  "top-level value that is not an object": [
    "[]",
    "[{}]",
    "42",
    "-1.5",
    "null",
    "true",
    "NaN",
    '"ping"',
    `[${request("ping")}]`,
  ],
  "ta-cmd an array or object": [`{${head('["ping"]')}}`, `{${head('{"ping":1}')}}`, `{${head("[]")}}`],
  "msg-type an array or object": [`{${head('"ping"', '["request"]')}}`, `{${head('"ping"', "{}")}}`],
  "ta-cmd or msg-type a number, true or null": [
    `{${head("1")}}`,
    `{${head('"ping"', "1")}}`,
    `{${head("true")}}`,
    `{${head("null")}}`,
  ],
  "filter a number": [
    request("services", ',"filter":1'),
    request("subscribe", ',"subscription-id":2,"filter":1'),
    request("subscribe", ',"subscription-id":2,"filter":-1.5e3'),
  ],
  "filter an array of characters": [request("services", ',"filter":["(","a","=","b",")"]')],
  "very deeply nested JSON": [
    "[".repeat(65_000),
    '{"a":'.repeat(13_000),
    published(`{"a":[${"[".repeat(32_000)}${"]".repeat(32_000)}]}`),
    request("ping", `,"x":${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`),
  ],
  "inform on a subscription's transaction": [inform(91, '"query"'), inform(91, '"reply"')],
  "track reply without a query": [inform(90, '"reply"')],
  "unknown track-type": [
    inform(90, '"track-query"'),
    inform(90, '""'),
    inform(90, "1"),
    inform(90, "[]"),
    inform(90, "null"),
  ],
  "booleans as integers": [
    published('{"a":[true]}'),
    request("unpublish", ',"service-id":true'),
    `{"ta-cmd":"ping","ta-id":true,"msg-type":"request"}`,
  ],
  "integers without bound": [
    published('{"a":[123456789012345678901234567890]}'),
    published(`{"a":[${"9".repeat(4301)}]}`),
    request("unpublish", `,"service-id":${"9".repeat(5000)}`),
  ],
  "a scalar where a list of values should be": [published('{"a":"b"}'), published('{"a":1}'), published('{"a":null}')],
};

interface Scene {
  readonly pafd: Pafd;
  readonly addresses: readonly string[];
  readonly witness: Client;
}
let scene: Scene;
let clientIds = 100;
let pings = 100;

test.before(async () => {
  const ux = `ux:${freshName()}`;
  const pafd = await startPafd(["-m", `${ux}+tcp:127.0.0.1:0`]);
  const witness = await Client.connect(ux, 1, 2);
  await witness.ask("ping", 1);
  scene = { pafd, addresses: [ux, await boundAddress(pafd, "tcp:127.0.0.1:0")], witness };
});

test.after(async () => {
  scene.witness.connection.close();
  const end = await scene.pafd.stop();
  if (end.code !== 0) throw new Error(`pafd ended with ${JSON.stringify(end)}`);
});

async function offender(address: string): Promise<Client> {
  const client = await Client.connect(address, ++clientIds);
  client.request("track", 90);
  client.request("subscribe", 91, { "subscription-id": clientIds, filter: "(no=one)" });
  await client.receives(3);
  client.messages.length = 0;
  return client;
}

async function othersGoOn(...others: Client[]): Promise<void> {
  const { pafd, witness } = scene;
  for (const other of [witness, ...others]) {
    other.messages.length = 0;
    assert.match(await other.ask("ping", ++pings), /"complete"/);
    assert.is(other.messages.length, 1, "nothing but the answer");
  }
  assert.is(pafd.exit, undefined);
  assert.not.match(pafd.log, /ERROR|CRITICAL|Internal error/);
}

for (const [row, messages] of Object.entries(DROPPED)) {
  test(`dropped: ${row}`, async () => {
    for (const address of scene.addresses) {
      const second = await offender(address);
      for (const message of messages) {
        const client = await offender(address);
        client.send(message);
        await client.ends();
        assert.equal(client.messages, [], `without a word, for ${message.slice(0, 80)}`);
        await othersGoOn(second);
      }
      second.connection.close();
    }
  });
}

test("dropped: the same from somebody who has not said hello", async () => {
  for (const address of scene.addresses) {
    for (const messages of Object.values(DROPPED)) {
      const client = await Client.connect(address);
      client.send(messages[0]!);
      await client.ends();
      assert.equal(client.messages, []);
    }
    await othersGoOn();
  }
});

test("refused: hello with another client id than the connection's first, after a hello that succeeded or failed", async () => {
  for (const address of scene.addresses) {
    const fields = (id: number, min = 2) => ({
      "client-id": id,
      "protocol-minimum-version": min,
      "protocol-maximum-version": 9,
    });
    const good = await offender(address);
    assert.match(await good.ask("hello", 1, fields(++clientIds)), /"fail-reason":"permission-denied"/);
    const failed = await Client.connect(address);
    assert.match(await failed.ask("hello", 1, fields(++clientIds, 9)), /"unsupported-protocol-version"/);
    assert.match(await failed.ask("hello", 2, fields(clientIds + 1)), /"fail-reason":"permission-denied"/);
    assert.match(await failed.ask("hello", 3, fields(clientIds)), /"complete"/);
    await othersGoOn(good, failed);
    good.connection.close();
    failed.connection.close();
  }
});

test("refused: very deeply nested filters", async () => {
  for (const address of scene.addresses) {
    const client = await offender(address);
    for (const filter of ["(!".repeat(30_000), "(".repeat(60_000), `${"(!".repeat(4000)}(a=b)${")".repeat(4000)}`]) {
      assert.match(await client.ask("services", ++pings, { filter }), /"fail-reason":"invalid-filter-syntax"/);
      const subscription = { "subscription-id": 9999, filter };
      assert.match(await client.ask("subscribe", ++pings, subscription), /"fail-reason":"invalid-filter-syntax"/);
    }
    await othersGoOn(client);
    client.connection.close();
  }
});

test("a substring filter on an integer does not match, whoever plants which half", async () => {
  for (const [i, address] of scene.addresses.entries()) {
    const [publisher, subscriber] = [await offender(address), await offender(address)];
    const service = (id: number, v: (number | string)[]) => ({
      "service-id": id,
      generation: 0,
      "service-props": { v },
      ttl: 0,
    });
    for (const filter of ["(v=4*)", "(v=*2)", "(v=*4*)", "(v=4*2)"]) {
      const [id, subscription] = [1000 * (i + 1) + pings, 5000 + pings];
      assert.match(await publisher.ask("publish", ++pings, service(id, [42])), /"complete"/);
      subscriber.request("subscribe", ++pings, { "subscription-id": subscription, filter });
      subscriber.messages.length = 0;
      assert.match(await publisher.ask("publish", ++pings, service(id + 100_000, [42])), /"complete"/);
      await subscriber.ask("services", ++pings, { filter });
      assert.match(await subscriber.ask("unsubscribe", ++pings, { "subscription-id": subscription }), /"complete"/);
      const seen = subscriber.messages.filter((text) => text.includes('"service-id"'));
      assert.equal(seen, [], filter);
      for (const gone of [id, id + 100_000]) await publisher.ask("unpublish", ++pings, { "service-id": gone });
    }
    await othersGoOn(publisher, subscriber);
    publisher.connection.close();
    subscriber.connection.close();
  }
});

test("texts with line feeds match substring filters", async () => {
  const client = await offender(scene.addresses[0]!);
  for (const [filter, value, matches] of [
    ["(name=f*o)", "f\no", true],
    ["(name=*foo)", "foo\n", false],
    ["(name=*foo)", "a\nfoo", true],
    ["(name=foo*)", "foo\nbar", true],
    ["(name=*foo*)", "a\nfoo", true],
  ] as const) {
    const service = { "service-id": 3000, generation: 0, "service-props": { name: [value] }, ttl: 0 };
    assert.match(await client.ask("publish", ++pings, service), /"complete"/);
    client.messages.length = 0;
    await client.ask("services", ++pings, { filter });
    assert.is(client.messages.length === 3, matches, `${filter} ${JSON.stringify(value)}`);
    await client.ask("unpublish", ++pings, { "service-id": 3000 });
  }
  client.connection.close();
});

test("a service that its returning owner reclaimed becomes an orphan again", async () => {
  const { witness, addresses } = scene;
  for (const address of addresses) {
    const [id, service] = [
      ++clientIds,
      { "service-id": 4000, generation: 0, "service-props": { again: [1] }, ttl: 60 },
    ];
    const subscription = 4000 + pings;
    witness.request("subscribe", subscription, { "subscription-id": subscription, filter: "(again=1)" });
    await witness.until(() => witness.messages.some((text) => text.includes('"accept"')), "accept");
    for (const expected of ["appeared", "modified"]) {
      witness.messages.length = 0;
      const owner = await Client.connect(address, id);
      assert.match(await owner.ask("publish", 1, service), /"complete"/);
      await witness.receives(1);
      assert.match(witness.messages[0]!, new RegExp(`"match-type":"${expected}"`));
      owner.connection.close();
      await witness.receives(2);
      assert.match(witness.messages[1]!, /"match-type":"modified".*"orphan-since":\d/);
    }
    const owner = await Client.connect(address, id);
    assert.match(await owner.ask("unpublish", 1, { "service-id": 4000 }), /"complete"/);
    await witness.ask("unsubscribe", ++pings, { "subscription-id": subscription });
    owner.connection.close();
    await othersGoOn();
  }
});

test.run();
