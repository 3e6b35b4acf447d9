/**
 * A small MQTT 3.1.1 broker inside this process, so that a first try needs no other software. A real deployment names
 * its own broker. aedes is loaded when the first one starts.
 *
 * Bounded, each limit costing only the client that passes it: see `LIMITS`.
 */

import { createServer, type Socket } from "node:net";
import type { Client } from "aedes";
import type { Logger } from "../core/log.js";
import { PacketSizeLimit } from "../gateway/mqtt/packet-size.js";

const LIMITS = {
  /** Further connections are closed at once. */
  clients: 200,
  /** A larger packet closes the connection. */
  packetBytes: 65_536,
  /** Topics and payloads kept as retained messages; a publication beyond closes the connection. */
  retainedMessages: 10_000,
  retainedBytes: 8_388_608,
  /** A further subscription is refused. */
  subscriptionsPerClient: 100,
  /** A client that has not read what it was sent for so long is closed: aedes would wait for it with all others. */
  stuckMs: 5_000,
  /** From accepting a connection to its CONNECT. */
  connectMs: 10_000,
} as const;

export interface EmbeddedBrokerOptions {
  /** Where to listen; meant for loopback, there is no login. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Logger;
}

export interface EmbeddedBroker {
  readonly port: number;
  /** Closes all connections (wills are not delivered to anybody any more) and the port. */
  close(): Promise<void>;
}

/** Rejects with the system's error if it cannot listen there. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { default: Aedes } = await import("aedes");
  const { log } = options;
  const retained = new RetainedBudget();
  const broker = new Aedes({
    concurrency: 100,
    connectTimeout: LIMITS.connectMs,
    maxClientsIdLength: 128,
    preConnect(_client, packet, done) {
      // Sessions that outlive their connection would collect messages without limit.
      packet.clean = true;
      done(null, true);
    },
    authorizePublish(_client, packet, done) {
      if (packet.topic.startsWith("$SYS/")) return done(new Error("topics below $SYS/ are the broker's own"));
      if (packet.retain && !retained.accept(packet.topic, packet.payload.length)) {
        return done(new Error("no room for a further retained message"));
      }
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const { subscriptions } = client as unknown as { subscriptions: Record<string, unknown> };
      done(null, Object.keys(subscriptions).length < LIMITS.subscriptionsPerClient ? subscription : null);
    },
  });
  const name = (client: Client | null) => JSON.stringify(client?.id ?? "a client without a name");
  broker.on("clientError", (client, error) => {
    // a client that just vanished is nothing an operator would act on
    const level = (error as NodeJS.ErrnoException).code === "ECONNRESET" ? "debug" : "info";
    log[level](() => `Embedded broker: ${name(client)}: ${error.message}.`);
  });
  broker.on("connectionError", (_client, error) => log.debug(() => `Embedded broker: ${error.message}.`));
  broker.on(
    "error" as "closed",
    ((error: Error) => log.error(() => `Embedded broker: ${error.message}.`)) as () => void,
  );

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    const limit = new PacketSizeLimit(LIMITS.packetBytes);
    socket.on("data", (bytes) => {
      if (!limit.accept(bytes)) socket.destroy(new Error(`a packet larger than ${LIMITS.packetBytes} bytes`));
    });
    watchReader(socket);
    broker.handle(socket);
  });
  server.maxConnections = LIMITS.clients;
  server.on("drop", () =>
    log.warning(() => `Embedded broker: more than ${LIMITS.clients} clients; one was turned away.`),
  );

  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, options.host, resolve);
    });
  } catch (error) {
    broker.close();
    throw error;
  }
  server.on("error", (error) => log.error(() => `Embedded broker: ${error.message}.`));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : options.port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => broker.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Counts what is kept, per topic. */
class RetainedBudget {
  private readonly sizes = new Map<string, number>();
  private total = 0;

  accept(topic: string, payloadBytes: number): boolean {
    const before = this.sizes.get(topic) ?? 0;
    const after = payloadBytes === 0 ? 0 : payloadBytes + topic.length;
    if (this.total - before + after > LIMITS.retainedBytes) return false;
    if (before === 0 && after > 0 && this.sizes.size >= LIMITS.retainedMessages) return false;
    this.total += after - before;
    if (after === 0) this.sizes.delete(topic);
    else this.sizes.set(topic, after);
    return true;
  }
}

/**
 * Closes a socket whose peer stopped reading, unless it drains in time. Looks at the answer of each write, because
 * aedes waits for `drain` before it goes on, and offers no hook after a write.
 */
function watchReader(socket: Socket): void {
  const write = socket.write;
  let timer: NodeJS.Timeout | undefined;
  const over = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  socket.on("drain", over).on("close", over);
  socket.write = (...args: unknown[]) => {
    const accepted = Reflect.apply(write, socket, args) as boolean;
    if (!accepted && !socket.destroyed) {
      timer ??= setTimeout(() => socket.destroy(new Error("does not read")), LIMITS.stuckMs);
    }
    return accepted;
  };
}
