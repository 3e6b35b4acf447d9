/** A simulated device of the native convention (D.3): what it does, and what it says that it did. */

import { MicroClient } from "../../test/peers/micro-client.js";
import type { SeededRandom } from "../fuzz/random.js";
import type { Deed } from "./history.js";
import { type BROKERS, brokerOf } from "./plan.js";
import { DEVICE_KEEPALIVE_SECONDS, DEVICE_SPREAD, now, RENEW, TTL_SECONDS } from "./times.js";

const KINDS = ["lamp", "sensor", "switch"] as const;
/** Of the announced time, when it wakes. */
const WAKES_AFTER = 0.75;

export const deviceKey = (number: number): string => `device${number}`;

export class Device {
  readonly key: string;
  readonly home: (typeof BROKERS)[number];
  readonly deeds: Deed[] = [];
  private version = 0;
  private client: MicroClient | undefined;
  /** Whether it is to be connected. */
  private wanted = false;
  /** Of its connections: what an older one has to say does not count. */
  private serial = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly number: number,
    private readonly port: () => number,
    private readonly random: SeededRandom,
  ) {
    this.key = deviceKey(number);
    this.home = brokerOf(number);
  }

  come(): void {
    if (this.wanted) return;
    this.wanted = true;
    void this.connect();
  }

  change(): void {
    this.version++;
    if (this.client) this.announced(this.client.publish(this.topic, this.announcement, true));
  }

  sleep(seconds: number, wakes: boolean): void {
    const client = this.off();
    if (!client) {
      this.come(); // its broker is away: it cannot say so, and stays awake
      return;
    }
    this.done({ what: "asleep", seconds });
    client.sleep(seconds);
    if (wakes) this.later(seconds * 1000 * WAKES_AFTER, () => this.come());
  }

  die(): void {
    this.done({ what: "died" });
    this.off()?.die();
  }

  leave(): void {
    const client = this.off();
    this.done({ what: client ? "left" : "died" });
    client?.leave();
  }

  /** Without a word, and without a trace in what it did. */
  end(): void {
    this.off()?.die();
  }

  private get topic(): string {
    return `sd1/a/${this.key}`;
  }

  private get announcement(): string {
    return `${KINDS[this.number % KINDS.length]};${TTL_SECONDS};name=${this.key};lab#1;version#${this.version}`;
  }

  private off(): MicroClient | undefined {
    const { client } = this;
    this.wanted = false;
    this.client = undefined;
    this.serial++;
    clearTimeout(this.timer);
    return client;
  }

  private async connect(): Promise<void> {
    const serial = ++this.serial;
    let client: MicroClient;
    try {
      client = await MicroClient.connect({
        host: "127.0.0.1",
        port: this.port(),
        device: this.key,
        keepAliveSeconds: DEVICE_KEEPALIVE_SECONDS,
      });
    } catch {
      if (serial === this.serial) this.again();
      return;
    }
    if (serial !== this.serial) return client.die();
    this.client = client;
    this.announced(client.announce(this.announcement));
    this.renewLater();
    await client.until("the end of the connection", () => client.closed, 2 ** 31 - 1);
    if (serial !== this.serial) return;
    this.client = undefined;
    this.again();
  }

  private again(): void {
    this.later(this.random.below(DEVICE_SPREAD), () => void this.connect());
  }

  private renewLater(): void {
    this.later(RENEW.least + this.random.unit() * (RENEW.most - RENEW.least), () => {
      this.client?.publish(this.topic, this.announcement, true);
      this.renewLater();
    });
  }

  private later(ms: number, then: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(then, ms);
  }

  private announced(sent: boolean): void {
    if (sent) this.done({ what: "live", version: this.version });
  }

  private done(
    deed: { what: "live"; version: number } | { what: "asleep"; seconds: number } | { what: "died" | "left" },
  ) {
    this.deeds.push({ at: now(), ...deed });
  }
}
