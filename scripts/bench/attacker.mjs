/** Clients that keep a server as busy as they can: `node scripts/bench/attacker.mjs NAME KIND COUNT`. */
import { Client } from "./seqpacket.mjs";

const [name, kind, count] = process.argv.slice(2);
/** As many searches as a filter may hold, none of which is ever found in BIG. */
const DEAR = `(|${"(a=*xxxxxxxxxxxxxxxb*)".repeat(32)})`;
const BIG = "x".repeat(60_000);
const FOR_EVER = Number.MAX_SAFE_INTEGER;
const IN_FLIGHT = 8;

const message = (command, fields) =>
  Buffer.from(JSON.stringify({ "ta-cmd": command, "ta-id": 2, "msg-type": "request", ...fields }));

const KINDS = {
  /** Each change is held against the filters of all of them, before and after. */
  publish: async (client, id) => {
    await client.request(String(message("subscribe", { "ta-id": 1, "subscription-id": id, filter: DEAR })), (answer) =>
      answer.includes('"accept"'),
    );
    let generation = 0;
    const publish = () =>
      message("publish", {
        "service-id": id,
        generation: generation++,
        ttl: 3,
        "service-props": { a: [BIG] },
      });
    client.run(FOR_EVER, IN_FLIGHT, publish);
  },
  search: async (client) => {
    client.run(
      FOR_EVER,
      IN_FLIGHT,
      () => message("services", { filter: DEAR }),
      (answer) => answer.includes('"complete"'),
    );
  },
  ping: async (client) => {
    client.run(FOR_EVER, 200, () => message("ping", {}));
  },
};

for (let i = 0; i < Number(count); i++) {
  const client = new Client(name);
  const id = 1000 + i;
  await client.request(
    String(message("hello", { "client-id": id, "protocol-minimum-version": 2, "protocol-maximum-version": 2 })),
  );
  await KINDS[kind](client, id);
}
console.log("busy");
