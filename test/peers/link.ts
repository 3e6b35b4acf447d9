/** What a bridge between two brokers goes through, on this machine: it can be cut, or carry nothing without a word. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Link {
  private readonly sockets = new Set<Socket>();
  private state: "whole" | "frozen" | "cut" = "whole";

  private constructor(
    private readonly server: Server,
    private readonly toPort: number,
  ) {
    server.on("connection", (near) => this.carry(near));
  }

  /** Carries connections on to that port of this machine. */
  static async to(port: number): Promise<Link> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Link(server, port);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Nothing is carried any more, and neither side is told; new connections get no answer. */
  freeze(): void {
    this.state = "frozen";
    for (const socket of this.sockets) socket.pause();
  }

  /** All connections end, and new ones do at once. */
  cut(): void {
    this.state = "cut";
    for (const socket of this.sockets) socket.destroy();
  }

  /** As it was in the beginning; what waited while it was frozen is carried now. */
  mend(): void {
    this.state = "whole";
    for (const socket of this.sockets) socket.resume();
  }

  async end(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private carry(near: Socket): void {
    if (this.state === "cut") {
      near.destroy();
      return;
    }
    const far = connect(this.toPort, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one);
      one.on("data", (bytes) => void other.write(bytes)); // a few kilobytes: it need not wait for the other side
      one.on("error", () => {});
      one.on("close", () => {
        this.sockets.delete(one);
        other.destroy();
      });
      if (this.state === "whole") one.resume();
      else one.pause();
    }
  }
}

/** The lines of a mosquitto.conf for a bridge to a broker at that port of this machine, of these topics both ways. */
export const bridgeTo = (port: number, topics: readonly string[]): string[] => [
  "connection to-south",
  `address 127.0.0.1:${port}`,
  ...topics.map((topic) => `topic ${topic} both 1`),
  "restart_timeout 1",
  "keepalive_interval 5",
  "cleansession true",
  "notifications false",
  "try_private true",
];
