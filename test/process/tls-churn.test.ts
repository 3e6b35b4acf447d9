/** TLS clients that come and go by the thousand leave no memory behind in the real process. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect } from "../../src/transport/index.js";
import { Authority, opensslMissing } from "../support/certificates.js";
import { boundAddress, Client, eventually, openDescriptors, Pafd, withFolder } from "../support/pafd.js";
import { root } from "../support/root.js";
import { endSoon, freshName, outbox } from "../support/transport-peers.js";

const test = suite("TLS churn");
test.after(endSoon);

const AT_ONCE = 8;
const WARM_UP = 400;
const CONNECTIONS = 1600;
/** A leak of the peer's certificate alone would be 7 MiB. */
const SLACK_MIB = 3;

const anonymousMiB = (pid: number) =>
  Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))![1]) / 1024;

/** What is held when garbage has been collected as often as that brings something. */
async function heldMiB(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let left = 5; left > 0; left--) {
    process.kill(pid, "SIGUSR2");
    await new Promise((resolve) => setTimeout(resolve, 200));
    least = Math.min(least, anonymousMiB(pid));
  }
  return least;
}

const missing = opensslMissing();
if (missing) {
  console.log(`skipped: TLS churn: ${missing}`);
  test.skip("TLS churn");
} else {
  test(`${CONNECTIONS} TLS connections with hello, one after the other`, () =>
    withFolder(async (folder) => {
      const authority = new Authority("churn");
      const [server, client] = [authority.issue("server"), authority.issue("client")];
      const name = freshName();
      const file = join(folder, "pafd.conf");
      writeFileSync(
        file,
        `domains:
  - sockets:
      - ux:${name}
      - addr: "tls:127.0.0.1:0"
        tls: {cert: ${server.cert}, key: ${server.key}, tc: ${authority.cert}}
log: {console: true, syslog: false}
`,
      );
      const collector = join(root, "scripts/bench/collect-garbage.cjs");
      const pafd = new Pafd(["-f", file], { env: { NODE_OPTIONS: `--require="${collector}"` } });
      try {
        await pafd.says("started with configuration");
        const address = await boundAddress(pafd, "tls:127.0.0.1:0");
        const witness = await Client.connect(`ux:${name}`, 1);
        let taId = 1;
        const churn = async (count: number) => {
          const tls = { ...client, tc: authority.cert };
          let left = count;
          const one = async (id: number) => {
            while (left-- > 0) {
              const visitor = new Client();
              visitor.connection = await connect(address, { outbox, listener: visitor, tls });
              await visitor.hello(id);
              visitor.connection.close();
              // Until the server has noticed, the client id is taken.
              await visitor.ends();
              await eventually(
                () =>
                  pafd.log.lastIndexOf(`<0x${id.toString(16)}> Disconnected`) >
                  pafd.log.lastIndexOf(`<0x${id.toString(16)}> User id`),
                (gone) => gone,
                "the end in the log",
              );
              assert.match(await witness.ask("ping", ++taId), /"complete"/);
            }
          };
          await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => one(100 + i)));
        };
        await churn(WARM_UP);
        const descriptors = openDescriptors(pafd.pid);
        const before = await heldMiB(pafd.pid);
        await churn(CONNECTIONS);
        const after = await heldMiB(pafd.pid);
        console.log(`${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after ${CONNECTIONS} TLS connections`);
        assert.ok(after < before + SLACK_MIB, `${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after`);
        await eventually(
          () => openDescriptors(pafd.pid),
          (n) => n <= descriptors,
          "descriptors of the server",
        );
        witness.connection.close();
        assert.equal(await pafd.stop(), { code: 0, signal: null });
      } finally {
        await pafd.kill();
      }
    }));
}

test.run();
