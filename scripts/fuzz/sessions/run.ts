/**
 * Whole sessions against a real pafd: bad clients by the dozen, over ux and as two users over TCP, and a witness that
 * checks all the time that nobody else is disturbed. After every round everybody but the witness leaves, and nothing of
 * them may be left.
 */

import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { eventually, openDescriptors, Pafd, residentMiB, withFolder } from "../../../test/support/pafd.js";
import { freshName } from "../../../test/support/transport-peers.js";
import { SeededRandom } from "../random.js";
import { BadClient, Tally } from "./client.js";
import { type Address, type Link, openLink } from "./links.js";
import { helloText } from "./messages.js";
import { Witness } from "./witness.js";

export interface SessionOptions {
  readonly messages: number;
  readonly seed: number;
  readonly clients?: number;
  /** Called now and then, and at the end of each round. */
  readonly progress?: (text: string) => void;
}

export interface SessionReport {
  readonly sent: number;
  readonly mutated: number;
  readonly received: number;
  readonly connections: number;
  readonly dropped: number;
  readonly transactions: number;
  readonly seconds: number;
  readonly pingMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** After each round. */
  readonly residentMiB: readonly number[];
}

const ROUND = 250_000;
/** What memory may differ by between the first round and the last: V8's heap is not the same size at any two moments. */
const MEMORY_SLACK_MIB = 25;

const config = (name: string, port: number) => `domains:
  - sockets: ["ux:${name}", "tcp:127.0.0.1:${port}"]
resources:
  user: {clients: 40, services: 140, subscriptions: 200}
log: {console: true, syslog: false, filter: warning}
`;

/** Runs the session fuzzer; throws, with the seed and the last messages, at the first thing that is wrong. */
export async function fuzzSessions(options: SessionOptions): Promise<SessionReport> {
  let report: SessionReport | undefined;
  await withFolder(async (folder) => {
    const name = freshName();
    const file = join(folder, "pafd.conf");
    const port = await freePort();
    writeFileSync(file, config(name, port));
    const pafd = new Pafd(["-f", file]);
    try {
      const tcp = `tcp:127.0.0.1:${port}`;
      // At its level the log does not say when it listens.
      await accepts({ address: tcp }, pafd);
      report = await new Run(options, pafd, `ux:${name}`, tcp).run();
    } finally {
      await pafd.kill();
    }
  });
  return report!;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Resolves when the server accepts connections. */
async function accepts(address: Address, pafd: Pafd): Promise<void> {
  for (;;) {
    const link = await openLink(address, { onMessage: () => {}, onEnd: () => {} }).catch(() => undefined);
    if (link) return link.close();
    if (pafd.exit) throw new Error(`pafd ended: ${pafd.stdout}${pafd.log}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Run {
  private readonly tally = new Tally();
  private readonly addresses: readonly Address[];
  private readonly witness: Witness;
  private failed: Error | undefined;
  private roundEnd = 0;
  private readonly resident: number[] = [];

  constructor(
    private readonly options: SessionOptions,
    private readonly pafd: Pafd,
    ux: string,
    tcp: string,
  ) {
    this.addresses = [{ address: ux }, { address: tcp }, { address: tcp, from: "127.0.0.2" }];
    const witness = new SeededRandom(options.seed);
    this.witness = new Witness(witness, [{ address: tcp, from: "127.0.0.3" }, { address: ux }]);
  }

  async run(): Promise<SessionReport> {
    const { options, pafd, tally, witness } = this;
    const began = performance.now();
    try {
      await witness.open();
      await witness.step();
      const descriptors = openDescriptors(pafd.pid);
      for (let round = 0; tally.sent < options.messages; round++) {
        this.roundEnd = Math.min(options.messages, tally.sent + ROUND);
        await this.round(round, began);
        await eventually(
          () => openDescriptors(pafd.pid),
          (n) => n === descriptors,
          `${descriptors} descriptors of the server`,
        );
        this.resident.push(residentMiB(pafd.pid));
        this.tell(began);
      }
      await witness.close();
      const [first, last] = [this.resident[0]!, this.resident.at(-1)!];
      if (last > first + MEMORY_SLACK_MIB) throw new Error(`memory grows: ${this.resident.join(", ")} MiB`);
      const { exit } = pafd;
      if (exit || (await pafd.stop()).code !== 0)
        throw new Error(`pafd ended with ${JSON.stringify(exit ?? pafd.exit)}`);
      this.look();
    } catch (error) {
      const { message, stack } = error as Error;
      throw new Error(
        `sessions, after ${tally.sent} messages: ${message}\nrepeat, as far as scheduling allows: ` +
          `npm run fuzz -- sessions --messages ${options.messages} --seed ${options.seed}\n` +
          `the server's last words${lastWords(pafd.log, message)}\n${stack}`,
      );
    }
    const times = witness.pingsMs.sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
    const { sent, mutated, received, connections, dropped } = tally;
    return {
      ...{ sent, mutated, received, connections, dropped, transactions: witness.transactions },
      seconds: (performance.now() - began) / 1000,
      pingMs: { p50: at(0.5), p99: at(0.99), max: times.at(-1)! },
      residentMiB: this.resident,
    };
  }

  /** Everybody comes, everybody does harm, and everybody goes. */
  private async round(round: number, began: number): Promise<void> {
    const { options, tally, witness } = this;
    const count = options.clients ?? 48;
    const fail = (error: Error) => {
      this.failed ??= error;
    };
    const clients = Array.from({ length: count }, (_, i) => {
      const number = round * count + i;
      return new BadClient(number, new SeededRandom(options.seed * 1_000_003 + number), this.addresses, tally, fail);
    });
    const goesOn = () => this.failed === undefined && tally.sent < this.roundEnd;
    let running = count;
    const runs = clients.map((client) =>
      client
        .run(goesOn)
        .catch(fail)
        .finally(() => running--),
    );
    let told = performance.now();
    while (running > 0 && !this.failed) {
      await witness.step();
      this.look();
      for (const client of clients) {
        if (client.stuck)
          fail(new Error(`client ${client.number} waits for an answer; its last messages:\n${client.history()}`));
      }
      if (performance.now() - told > 5000) {
        told = performance.now();
        this.tell(began);
      }
      // Lets the others run.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.failed) throw this.failed;
    await Promise.all(runs);
    await this.everythingFits(clients);
    for (const client of clients) client.close();
    await this.cleanUp();
  }

  /** The server is alive, and its log knows of no bug. */
  private look(): void {
    const { pafd } = this;
    if (pafd.exit && pafd.exit.code !== 0) throw new Error(`pafd ended with ${JSON.stringify(pafd.exit)}`);
    const bug = /[^\n]*(Internal error|ERROR:|CRITICAL:)[^\n]*/.exec(pafd.log);
    if (bug) throw new Error(`in the log: ${bug[0].slice(0, 4000)}`);
    // Or a long run's log would fill this process.
    if (pafd.log.length > 100_000) pafd.log = pafd.log.slice(-50_000);
  }

  /** The lists agree with each other, and with who is connected. */
  private async everythingFits(clients: readonly BadClient[]): Promise<void> {
    const { witness } = this;
    const listed = new Set((await witness.list("clients")).map((client) => client["client-id"] as bigint));
    const must = [...witness.clientIds];
    for (const client of clients) if (client.innocentId !== undefined) must.push(client.innocentId);
    const missing = must.filter((id) => !listed.has(id));
    if (missing.length > 0) throw new Error(`connected, but not listed: ${missing}`);
    for (const subscription of await witness.list("subscriptions")) {
      const owner = subscription["client-id"] as bigint;
      if (!listed.has(owner))
        throw new Error(`subscription ${subscription["subscription-id"]} of ${owner}, who is not there`);
    }
    for (const service of await witness.list("services")) {
      const owner = service["client-id"] as bigint;
      if (!listed.has(owner) && service["orphan-since"] === undefined) {
        throw new Error(`service ${service["service-id"]} of ${owner}, who is not there, is no orphan`);
      }
    }
  }

  /** Withdraws the orphans that would live long, as each user; then nothing of the bad clients is left. */
  private async cleanUp(): Promise<void> {
    const { witness } = this;
    for (const [i, address] of this.addresses.entries()) {
      const services = (await witness.list("services")).map((service) => service["service-id"] as bigint);
      const foreign = services.filter((id) => !witness.owns(id));
      await withdraw(address, (1n << 40n) + BigInt(i), foreign);
    }
    for (const began = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, 10))) {
      const left = {
        clients: (await witness.list("clients")).length - 2,
        subscriptions: (await witness.list("subscriptions")).length - witness.subscriptionCount,
        services: (await witness.list("services")).filter((service) => !witness.owns(service["service-id"] as bigint))
          .length,
      };
      if (left.clients + left.subscriptions + left.services === 0) return;
      if (performance.now() - began > 20_000) throw new Error(`left behind: ${JSON.stringify(left)}`);
    }
  }

  private tell(beganMs: number): void {
    const { tally, witness } = this;
    const rate = tally.sent / ((performance.now() - beganMs) / 1000);
    this.options.progress?.(
      `${tally.sent} messages (${tally.mutated} bad) over ${tally.connections} connections, ${Math.round(rate)} a second; ` +
        `witness: ${witness.transactions} transactions; server ${residentMiB(this.pafd.pid).toFixed(0)} MiB`,
    );
  }
}

/** Unpublishes services as one user; what belongs to another stays. */
async function withdraw(address: Address, clientId: bigint, services: readonly bigint[]): Promise<void> {
  let answers = 0;
  const link: Link = await new Promise((resolve, reject) => {
    let opened: Link;
    const done = () => {
      if (answers === services.length + 1) resolve(opened);
    };
    openLink(address, {
      onMessage: () => {
        answers++;
        done();
      },
      onEnd: () => reject(new Error("the server ended a connection that only withdraws services")),
    }).then((link) => {
      opened = link;
      const hello = helloText(0, clientId, 2, 3);
      const withdrawals = services.map(
        (id, i) => `{"ta-cmd":"unpublish","ta-id":${i + 1},"msg-type":"request","service-id":${id}}`,
      );
      link.send([hello, ...withdrawals].map((text) => Buffer.from(text)));
    }, reject);
  });
  link.close();
}

/** The end of the log; what it says of the client that a failure names, if it names one. */
function lastWords(log: string, failure: string): string {
  const client = /<0x[0-9a-f]+>/.exec(failure)?.[0];
  if (client === undefined) return `: ${log.slice(-2000)}`;
  const lines = log.split("\n").filter((line) => line.includes(client));
  return ` about ${client}:\n${lines.slice(-30).join("\n")}`;
}

/** What a run has done, for people. */
export function sessionReport(report: SessionReport, seed: number): string {
  const { sent, mutated, connections, dropped, transactions, seconds, pingMs } = report;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return (
    `sessions: ${sent} messages (${mutated} bad) from seed ${seed} over ${connections} connections (${dropped} ended by ` +
    `the server) in ${seconds.toFixed(1)} s; the witness made ${transactions} transactions, all as they must be ` +
    `(its pings: median ${ms(pingMs.p50)}, 99 % ${ms(pingMs.p99)}, longest ${ms(pingMs.max)}); ` +
    `resident after each round ${report.residentMiB.map((mib) => mib.toFixed(0)).join(", ")} MiB`
  );
}
