/** One of the servers: a real pafd, if there is a network on a host of its own; and what can be done to it. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PAFD, Pafd } from "../../test/support/pafd.js";
import type { Host } from "./network.js";
import { IDLE_SECONDS } from "./times.js";
import type { Access } from "./transports.js";

export class Server {
  private pafd: Pafd | undefined;
  /** Of the processes that are gone. */
  private earlier = "";
  private readonly file: string;

  constructor(
    readonly number: number,
    readonly access: Access,
    folder: string,
    readonly host?: Host,
  ) {
    this.file = join(folder, `pafd-${number}.conf`);
    const idle = `{min: ${IDLE_SECONDS.min}, max: ${IDLE_SECONDS.max}}`;
    writeFileSync(
      this.file,
      `domains: [{sockets: [${access.socket}], idle: ${idle}}]\nlog: {console: true, syslog: false}\n`,
    );
  }

  async start(): Promise<void> {
    const [command, ...args] = [...(this.host?.prefix ?? []), PAFD, "-f", this.file];
    this.pafd = new Pafd(args, { command: command! });
    await this.pafd.says("started with configuration");
  }

  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.pafd!.stop(signal);
    this.earlier += this.pafd!.log;
    this.pafd = undefined;
  }

  get pid(): number {
    return this.pafd!.pid;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.pafd!.child.kill(signal);
  }

  get log(): string {
    return this.earlier + (this.pafd?.log ?? "");
  }

  async kill(): Promise<void> {
    await this.pafd?.kill();
  }
}

/** Of 127.0.0.1; nobody has it now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
