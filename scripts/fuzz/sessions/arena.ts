/**
 * Where the session fuzzer and the soak test take place: a real pafd with limits, a witness, and room for bad clients.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Authority, opensslMissing } from "../../../test/support/certificates.js";
import { Pafd, withFolder } from "../../../test/support/pafd.js";
import { freshName } from "../../../test/support/transport-peers.js";
import { SeededRandom } from "../random.js";
import { BadClient, Tally } from "./client.js";
import { type Address, type Link, openLink } from "./links.js";
import { helloText } from "./messages.js";
import { Witness } from "./witness.js";

const config = (name: string, port: number, logLevel: string, tls = "") => `domains:
  - sockets: ["ux:${name}", "tcp:127.0.0.1:${port}"${tls}]
resources:
  user: {clients: 40, services: 140, subscriptions: 200}
log: {console: true, syslog: false, filter: ${logLevel}}
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** A TLS socket for the configuration, and how a client reaches it; `undefined` where there is no openssl. */
async function tlsAddress(): Promise<{ readonly socket: object; readonly address: Address } | undefined> {
  const missing = opensslMissing();
  if (missing) {
    console.log(`no TLS: ${missing}`);
    return undefined;
  }
  const authority = new Authority(`arena-${freshName()}`);
  const [server, client] = [authority.issue("server"), authority.issue("client")];
  const address = `tls:127.0.0.1:${await freePort()}`;
  const read = (name: string) => readFileSync(name);
  return {
    socket: { addr: address, tls: { ...server, tc: authority.cert } },
    address: { address, identity: { cert: read(client.cert), key: read(client.key), ca: read(authority.cert) } },
  };
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

export interface Battle {
  readonly clients: number;
  /** Of the first of them; the others count on. */
  readonly firstNumber: number;
  readonly goesOn: () => boolean;
  /** What a client does between two bursts. */
  readonly pace?: (random: SeededRandom) => Promise<void>;
  /** Called now and then. */
  readonly meanwhile?: () => void;
}

export interface ArenaOptions {
  /** More of it, for pafd. */
  readonly environment?: NodeJS.ProcessEnv;
  readonly logLevel?: "info" | "warning";
}

export class Arena {
  readonly tally = new Tally();
  readonly witness: Witness;
  private failed: Error | undefined;

  private constructor(
    readonly pafd: Pafd,
    private readonly seed: number,
    private readonly addresses: readonly Address[],
  ) {
    const [ux, tcp] = addresses;
    this.witness = new Witness(new SeededRandom(seed), [{ ...tcp!, from: "127.0.0.3" }, ux!]);
  }

  /** Starts a pafd, lets the witness in, runs `body` and stops the pafd again. */
  static async with(
    seed: number,
    body: (arena: Arena) => Promise<void>,
    { environment = {}, logLevel = "warning" }: ArenaOptions = {},
  ): Promise<void> {
    await withFolder(async (folder) => {
      const name = freshName();
      const file = join(folder, "pafd.conf");
      const port = await freePort();
      const tls = await tlsAddress();
      writeFileSync(file, config(name, port, logLevel, tls && `, ${JSON.stringify(tls.socket)}`));
      const pafd = new Pafd(["-f", file], { env: environment });
      try {
        const tcp = { address: `tcp:127.0.0.1:${port}` };
        // The log may be at a level at which it does not say when it listens.
        await accepts(tcp, pafd);
        const addresses: Address[] = [{ address: `ux:${name}` }, tcp, { ...tcp, from: "127.0.0.2" }];
        if (tls) addresses.push(tls.address);
        const arena = new Arena(pafd, seed, addresses);
        await arena.witness.open();
        await body(arena);
        await arena.witness.close();
        const { exit } = pafd;
        if (exit || (await pafd.stop()).code !== 0)
          throw new Error(`pafd ended with ${JSON.stringify(exit ?? pafd.exit)}`);
        arena.look();
      } catch (error) {
        (error as Error).message += `\nthe server's last words${lastWords(pafd.log, (error as Error).message)}`;
        throw error;
      } finally {
        await pafd.kill();
      }
    });
  }

  /** Bad clients come and do harm while the witness checks; then all go, and nothing of them may be left. */
  async battle({ clients: count, firstNumber, goesOn, pace, meanwhile }: Battle): Promise<void> {
    const { tally, witness } = this;
    const fail = (error: Error) => {
      this.failed ??= error;
    };
    const clients = Array.from({ length: count }, (_, i) => {
      const number = firstNumber + i;
      return new BadClient(number, new SeededRandom(this.seed * 1_000_003 + number), this.addresses, tally, fail, pace);
    });
    let running = count;
    const runs = clients.map((client) =>
      client
        .run(() => this.failed === undefined && goesOn())
        .catch(fail)
        .finally(() => running--),
    );
    while (running > 0 && !this.failed) {
      await witness.step();
      this.look();
      for (const client of clients) {
        if (client.stuck)
          fail(new Error(`client ${client.number} waits for an answer; its last messages:\n${client.history()}`));
      }
      meanwhile?.();
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
  look(): void {
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

  /**
   * Withdraws the orphans that would live long, as each user; then nothing of the bad clients is left. Again and again:
   * a busy server may still be reading what a client sent before it left.
   */
  private async cleanUp(): Promise<void> {
    const { witness } = this;
    const foreign = async () =>
      (await witness.list("services"))
        .map((service) => service["service-id"] as bigint)
        .filter((id) => !witness.owns(id));
    let clientId = 1n << 40n;
    for (const began = performance.now(); ; await new Promise((resolve) => setTimeout(resolve, 10))) {
      for (const address of this.addresses) {
        const services = await foreign();
        if (services.length > 0) await withdraw(address, clientId++, services);
      }
      const left = {
        clients: (await witness.list("clients")).length - 2,
        subscriptions: (await witness.list("subscriptions")).length - witness.subscriptionCount,
        services: (await foreign()).length,
      };
      if (left.clients + left.subscriptions + left.services === 0) return;
      if (performance.now() - began > 20_000) throw new Error(`left behind: ${JSON.stringify(left)}`);
    }
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
