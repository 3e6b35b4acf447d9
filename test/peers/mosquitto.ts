/** A private mosquitto for tests: started, killed, stopped, frozen and started again on the same port. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";

/** Whether mosquitto and its clients are here; if not, the tests that need them say so, and fail in CI. */
export const MOSQUITTO_MISSING: string | undefined = ["mosquitto", "mosquitto_pub", "mosquitto_passwd", "openssl"].find(
  (command) => spawnSync("sh", ["-c", `PATH="$PATH:/usr/sbin" command -v ${command}`]).status !== 0,
);

/** A suite whose tests need mosquitto: `check` instead of `test` skips where it is missing, and says so. */
export function mosquittoSuite(name: string) {
  const test = suite(name);
  if (MOSQUITTO_MISSING && process.env.CI === "true") throw new Error(`${MOSQUITTO_MISSING} is missing`);
  const check: typeof test.skip = MOSQUITTO_MISSING ? test.skip : test;
  const packages = "mosquitto mosquitto-clients openssl";
  if (MOSQUITTO_MISSING) console.log(`skipped: ${MOSQUITTO_MISSING} is not installed (apt install ${packages})`);
  return { test, check };
}

const ENV = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

export interface MosquittoOptions {
  readonly persistence?: boolean;
  /** More lines of the configuration, e.g. of a bridge or a limit. */
  readonly lines?: readonly string[];
  /** What each user may do, as an acl_file says it; needs `secure`. */
  readonly acl?: string;
  /** TLS with a fresh authority, and a login that is needed. */
  readonly secure?: {
    readonly user: string;
    readonly password: string;
    readonly clientCertificates?: boolean;
    /** Further logins: user and password. */
    readonly others?: Readonly<Record<string, string>>;
  };
}

export interface PublishOptions {
  readonly retain?: boolean;
  readonly args?: readonly string[];
}

export class Mosquitto {
  readonly directory = mkdtempSync(join(tmpdir(), "paf-mosquitto-"));
  readonly host = "127.0.0.1";
  port = 0;
  private broker: ChildProcess | undefined;
  private readonly clients = new Set<ChildProcess>();
  private said = "";

  constructor(private readonly options: MosquittoOptions = {}) {}

  static async started(options?: MosquittoOptions): Promise<Mosquitto> {
    const mosquitto = new Mosquitto(options);
    if (options?.secure) mosquitto.makeSecrets(options.secure);
    for (let attempt = 1; ; attempt++) {
      mosquitto.port = await freePort();
      try {
        await mosquitto.start();
        return mosquitto;
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  /** Starts it (again), and waits until it accepts connections. */
  async start(): Promise<void> {
    const config = join(this.directory, "mosquitto.conf");
    writeFileSync(config, this.config());
    const broker = spawn("mosquitto", ["-c", config], { stdio: ["ignore", "ignore", "pipe"], env: ENV });
    this.broker = broker;
    const killBroker = () => broker.kill("SIGKILL");
    process.once("exit", killBroker); // a test that crashes shall leave nothing behind
    broker.once("exit", () => process.off("exit", killBroker));
    this.said = "";
    broker.stderr.on("data", (text) => {
      this.said = (this.said + text).slice(-4000);
    });
    const until = Date.now() + 10_000;
    while (!(await accepts(this.port))) {
      if (broker.exitCode !== null || Date.now() > until) throw new Error(`mosquitto did not start: ${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends it: SIGKILL at once, SIGTERM in order (the wills of all clients are sent). */
  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const broker = this.broker;
    if (!broker || broker.exitCode !== null || broker.signalCode !== null) return;
    const exited = once(broker, "exit");
    broker.kill(signal);
    await exited;
  }

  freeze(): void {
    this.broker?.kill("SIGSTOP");
  }

  thaw(): void {
    this.broker?.kill("SIGCONT");
  }

  /** Publishes by mosquitto_pub, retained unless said otherwise; done when the broker has it. */
  async publish(
    topic: string,
    payload: string | Buffer,
    { retain = true, args = [] }: PublishOptions = {},
  ): Promise<void> {
    const what = ["-t", topic, "-q", "1", ...(retain ? ["-r"] : []), ...args, payload.length > 0 ? "-s" : "-n"];
    const client = spawn("mosquitto_pub", [...this.login(), ...what], { env: ENV, stdio: ["pipe", "ignore", "pipe"] });
    this.clients.add(client);
    let said = "";
    client.stderr.on("data", (text) => {
      said += text;
    });
    client.stdin.on("error", () => {}); // if it ended early; its exit code tells why
    client.stdin.end(payload);
    const [code] = await once(client, "close");
    this.clients.delete(client);
    if (code !== 0) throw new Error(`mosquitto_pub ${topic}: exit code ${code}: ${said}`);
  }

  /** A device that stays connected, with a retained will `0` in `sd1/s/<device>`; it can only be killed. */
  async device(device: string): Promise<ChildProcess> {
    const topic = `sd1/s/${device}`;
    const will = ["--will-topic", topic, "--will-payload", "0", "--will-retain", "--will-qos", "1"];
    const client = spawn(
      "stdbuf",
      ["-oL", "mosquitto_sub", ...this.login(), "-i", `n-${device}`, ...will, "-d", "-t", `sd1/r/${device}`],
      {
        stdio: ["ignore", "pipe", "ignore"],
        env: ENV,
      },
    );
    this.clients.add(client);
    let said = "";
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`device ${device} did not connect: ${said}`)), 10_000);
      client.stdout.on("data", (text) => {
        said += text;
        if (!said.includes("Subscribed")) return;
        clearTimeout(limit);
        resolve();
      });
    });
    return client;
  }

  /** Ends everything and removes its files. */
  async end(): Promise<void> {
    for (const client of this.clients) client.kill("SIGKILL");
    this.thaw();
    await this.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  private login(): string[] {
    const { secure } = this.options;
    const basic = ["-h", this.host, "-p", String(this.port)];
    if (!secure) return basic;
    const certificate = [
      "--cafile",
      this.path("ca.pem"),
      "--cert",
      this.path("client.pem"),
      "--key",
      this.path("client.key"),
    ];
    return [...basic, ...certificate, "-u", secure.user, "-P", secure.password];
  }

  private config(): string {
    const { persistence, secure, acl, lines: more = [] } = this.options;
    const lines = ["user root", `listener ${this.port} ${this.host}`, "log_type error"];
    if (persistence)
      lines.push(
        "persistence true",
        `persistence_location ${this.directory}/`,
        "autosave_on_changes true",
        "autosave_interval 1",
      );
    else lines.push("persistence false");
    if (secure) {
      lines.push(
        `cafile ${this.path("ca.pem")}`,
        `certfile ${this.path("server.pem")}`,
        `keyfile ${this.path("server.key")}`,
      );
      lines.push(`password_file ${this.path("passwords")}`, "allow_anonymous false");
      if (secure.clientCertificates) lines.push("require_certificate true");
      if (acl !== undefined) {
        writeFileSync(this.path("acl"), acl, { mode: 0o600 });
        lines.push(`acl_file ${this.path("acl")}`);
      }
    } else lines.push("allow_anonymous true");
    return `${[...lines, ...more].join("\n")}\n`;
  }

  private makeSecrets({ user, password, others = {} }: NonNullable<MosquittoOptions["secure"]>): void {
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: this.directory, env: ENV, stdio: ["ignore", "ignore", "pipe"] });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for (const ca of ["ca", "other-ca"]) {
      run(
        "openssl",
        "req",
        "-x509",
        ...key,
        "-keyout",
        `${ca}.key`,
        "-out",
        `${ca}.pem`,
        "-days",
        "2",
        "-subj",
        `/CN=${ca}`,
      );
    }
    for (const [name, san] of [
      ["server", "IP:127.0.0.1,DNS:localhost"],
      ["client", "DNS:client"],
    ]) {
      writeFileSync(this.path("san"), `subjectAltName=${san}\n`);
      run("openssl", "req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san"];
      run("openssl", "x509", "-req", "-in", `${name}.csr`, ...signed, "-out", `${name}.pem`, "-days", "2");
    }
    run("mosquitto_passwd", "-c", "-b", "passwords", user, password);
    for (const [name, word] of Object.entries(others)) run("mosquitto_passwd", "-b", "passwords", name, word);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
