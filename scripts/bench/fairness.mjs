/** `npm run bench -- fairness`: how long others wait while hostile clients keep the server busy. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT } from "../setup.mjs";
import { pinger, reportPings, sleep } from "./pings.mjs";

const ATTACKERS = 10;
/** What is searched through. */
const SERVICES = 2000;
const MEASURED_MS = 5000;

const ATTACKS = {
  publish: `${ATTACKERS} publish, dear filters`,
  search: `${ATTACKERS} search, dear filters`,
  ping: `${ATTACKERS} ping, 200 in flight`,
};

/** `startServer()` and `hello(name, id)` are bench.mjs's. */
export async function benchFairness(startServer, hello, report) {
  for (const [kind, what] of Object.entries(ATTACKS)) {
    const server = await startServer();
    const client = await hello(server.name, 1);
    await client.run(SERVICES, 32, (i) =>
      Buffer.from(
        `{"ta-cmd":"publish","ta-id":${i},"msg-type":"request","service-id":${i + 1},"generation":0,"ttl":30,"service-props":{"a":["${"x".repeat(600)}"]}}`,
      ),
    );
    const during = async (work) => {
      const end = pinger((text) => client.request(text));
      await work;
      return end();
    };
    const alone = await during(sleep(MEASURED_MS));
    const script = join(ROOT, "scripts/bench/attacker.mjs");
    const attack = spawn(process.execPath, [script, server.name, kind, String(ATTACKERS)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(attack.stdout, "data");
    const times = await during(sleep(MEASURED_MS));
    attack.kill("SIGKILL");
    await once(attack, "exit");
    reportPings(report, `${what}: ping`, times, alone);
    client.close();
    await server.stop();
  }
}
