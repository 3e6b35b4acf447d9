/** The way to a broker, which can be cut: as when the link of a gateway is gone, and both ends live on. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Road {
  private readonly sockets = new Set<Socket>();
  private isOpen = true;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async to(port: number): Promise<Road> {
    const server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        road.sockets.add(one.on("error", () => {}).on("close", () => other.destroy()));
        one.pipe(other);
      }
      if (!road.isOpen) near.destroy();
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const road = new Road(server, `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return road;
  }

  cut(): void {
    this.isOpen = false;
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  open(): void {
    this.isOpen = true;
  }

  close(): void {
    this.server.close();
    this.cut();
  }
}
