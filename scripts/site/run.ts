/** Conducts a site: brokers, boards, devices, the plan, and the wait until all boards have converged and are quiet. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Mosquitto } from "../../test/peers/mosquitto.js";
import { SeededRandom } from "../fuzz/random.js";
import { Board } from "./board.js";
import { type Brokers, isBrokerName, keptWrongly, listen, startBrokers, type Traffic } from "./brokers.js";
import { Device } from "./device.js";
import type { Thing, Told, Trouble, View } from "./history.js";
import { differences, judge, stillShown, takenAway, type Violation } from "./oracle.js";
import {
  BOARDS,
  BRIDGE,
  BROKERS,
  brokerOf,
  type Fault,
  type LossPlan,
  type Order,
  type Part,
  planOf,
  type Step,
} from "./plan.js";
import { type Sabotage, sabotaged } from "./sabotage.js";
import { CONVERGENCE, IDLE_SECONDS, idleMessages, LOST, now, seconds } from "./times.js";

export interface SiteOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly devices: number;
  /** Whether brokers are in trouble, too. Default: true. */
  readonly brokersToo?: boolean;
  /** How long messages are counted in the end. Default: IDLE_SECONDS. */
  readonly idleSeconds?: number;
  /** An empty folder for files. */
  readonly folder: string;
  readonly sabotage?: Sabotage;
  /** What is lost in the end. Default: nothing. */
  readonly loss?: LossPlan;
  readonly progress: (text: string) => void;
}

export interface SiteReport {
  readonly violations: readonly Violation[];
  /** Whatever else went wrong: not converged, not quiet, brokers that keep something wrong, errors in logs. */
  readonly failures: readonly string[];
  readonly things: readonly Thing[];
  readonly views: readonly View[];
  readonly troubles: readonly Trouble[];
  readonly beganAt: number;
  /** From the last fault. */
  readonly convergedMs: number;
  /** Messages at the end, at each broker; and how many may be. */
  readonly idle: Readonly<Record<(typeof BROKERS)[number], number>>;
  readonly idleLimit: number;
  /** From the loss until nothing of what was lost was shown. */
  readonly lostMs?: number;
}

/** From the start until everything is shown everywhere: processes start, gateways listen for 3 s. */
const BEGIN_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 100;
const TELL_EVERY_MS = 15_000;
/** In which a broker tells all that it keeps. */
const KEPT_SECONDS = 2;
const ECHO_EVERY_MS = 50;
/** That a process needs to end and to start. */
const WORTH_TELLING_MS = 3000;

export async function runSite(options: SiteOptions): Promise<SiteReport> {
  const site = new Site(options, await startBrokers());
  try {
    return await site.run();
  } finally {
    await site.end();
  }
}

export const describe = ({ kind, part }: Fault): string =>
  `${part} is ${{ kill: "killed", terminate: "stopped in order", freeze: "frozen", cut: "cut" }[kind]}`;

class Site {
  private readonly boards: readonly Board[];
  private readonly devices: readonly Device[];
  private readonly views: { readonly board: string; readonly told: Told[] }[] = [];
  private readonly troubles: Trouble[] = [];
  private readonly failures: string[] = [];
  private readonly turns = new Map<string, Promise<void>>();
  private echo: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: SiteOptions,
    private readonly brokers: Brokers,
  ) {
    const url = (number: number) => `mqtt://127.0.0.1:${brokers[brokerOf(number)].port}`;
    this.boards = BOARDS.map((name, number) => new Board(name, url(number), options.folder));
    this.devices = Array.from({ length: options.devices }, (_, number) => {
      const port = () => brokers[brokerOf(number)].port;
      return new Device(number, port, new SeededRandom(options.seed + number));
    });
  }

  async run(): Promise<SiteReport> {
    const { options, failures, troubles, views } = this;
    const plan = planOf(options);
    await Promise.all(this.boards.map((board) => board.start()));
    for (const [number, board] of this.boards.entries()) this.watch(board, number === 0 ? options.sabotage : undefined);
    if (options.sabotage === "echo") this.startEcho();
    for (const step of plan) if ("order" in step && step.atMs === 0) this.give(step.order);
    await this.converged("before the first fault", BEGIN_LIMIT_MS);
    const beganAt = now();
    await this.play(plan, beganAt);
    options.progress(`${seconds(now() - beganAt)}: the last fault is over`);
    const overAt = now();
    await this.converged("after the last fault", CONVERGENCE);
    await this.brokersConverged(CONVERGENCE - (now() - overAt));
    const convergedMs = now() - overAt;
    options.progress(`converged after ${seconds(convergedMs)}; listening`);
    const { idle, idleLimit } = await this.isQuiet();
    const endedAt = now();
    const lostMs = options.loss && failures.length === 0 ? await this.lose(options.loss) : undefined;
    for (const board of this.boards) {
      const trouble = /^.*(?:ERROR|Internal error|is not foreseen).*$/m.exec(board.log);
      if (trouble) failures.push(`${board.name} logged: ${trouble[0]}`);
    }
    const { things } = this;
    const violations = judge(things, views, troubles, beganAt, endedAt);
    const lost = lostMs === undefined ? {} : { lostMs };
    return { violations, failures, things, views, troubles, beganAt, convergedMs, idle, idleLimit, ...lost };
  }

  async end(): Promise<void> {
    clearInterval(this.echo);
    for (const device of this.devices) device.end();
    await Promise.all(this.boards.map((board) => board.end()));
    await Promise.all(BROKERS.map((name) => this.brokers[name].end()));
    await this.brokers.link.end();
  }

  private get things(): Thing[] {
    return [...this.devices, ...this.boards.flatMap(({ things }) => things)];
  }

  private watch(board: Board, sabotage: Sabotage | undefined): void {
    const told: Told[] = [];
    this.views.push({ board: board.name, told });
    board.watch(sabotaged(sabotage, (one) => told.push(one)));
  }

  private startEcho(): void {
    const publish = () => this.brokers.north.publish("sd1/r/echo", "1;0/0", { retain: false }).catch(() => {});
    this.echo = setInterval(() => void publish(), ECHO_EVERY_MS);
  }

  // --- playing ------------------------------------------------------------------------------------------------------

  private async play(plan: readonly Step[], beganAt: number): Promise<void> {
    const done: Promise<void>[] = [];
    for (const step of plan) {
      if (step.atMs === 0) continue;
      const wait = beganAt + step.atMs - now();
      if (wait > 0) await sleep(wait);
      if ("order" in step) this.give(step.order);
      else {
        this.options.progress(`${seconds(step.atMs)}: ${describe(step.fault)} for ${seconds(step.lastsMs)}`);
        done.push(this.inTurn(step.fault, step.lastsMs));
      }
    }
    await Promise.all(done);
  }

  private give(order: Order): void {
    if ("board" in order) {
      const board = this.boards[order.board]!;
      board[order.kind](order.key);
      return;
    }
    const device = this.devices[order.device]!;
    if (order.kind === "sleep") device.sleep(order.seconds, order.wakes);
    else device[order.kind]();
  }

  /** What is done to one part follows what was done to it before: a process takes a while to be there again. */
  private inTurn(fault: Fault, lastsMs: number): Promise<void> {
    const before = this.turns.get(fault.part) ?? Promise.resolve();
    const done = before
      .then(() => this.commit(fault, lastsMs))
      .catch((error: Error) => {
        this.options.progress(`  ${describe(fault)}: ${error.message}`);
        this.failures.push(`${describe(fault)}: ${error.stack}`);
      });
    this.turns.set(fault.part, done);
    return done;
  }

  private async commit({ kind, part }: Fault, lastsMs: number): Promise<void> {
    const trouble: Trouble = { part, what: kind, from: now(), to: Number.POSITIVE_INFINITY };
    this.troubles.push(trouble);
    const target = this.targetOf(part);
    if (kind === "freeze") {
      target.freeze();
      await sleep(lastsMs);
      target.thaw();
    } else {
      await target.stop(kind === "kill" ? "SIGKILL" : "SIGTERM");
      await sleep(lastsMs);
      await target.start();
    }
    trouble.to = now();
    const longerMs = trouble.to - trouble.from - lastsMs;
    if (longerMs > WORTH_TELLING_MS) this.options.progress(`  ${part}: took ${seconds(longerMs)} longer than that`);
  }

  private targetOf(part: Part) {
    if (part === BRIDGE) return linkTarget(this.brokers.link);
    return isBrokerName(part)
      ? brokerTarget(this.brokers[part])
      : boardTarget(this.boards.find(({ name }) => name === part)!);
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** Waits until every board shows what there is; returns after how many milliseconds that was. */
  private async converged(when: string, limitMs: number, worlds?: LossPlan["worlds"]): Promise<number> {
    const began = now();
    let nextWordMs = TELL_EVERY_MS;
    for (;;) {
      const wrong = differences(this.things, this.views, now(), worlds);
      const after = now() - began;
      if (wrong.length === 0) return after;
      if (after > limitMs) {
        const some = wrong.slice(0, 10).join("\n  ");
        this.failures.push(
          `${when}: not converged within ${seconds(limitMs)}; ${wrong.length} differences:\n  ${some}`,
        );
        return after;
      }
      if (after > nextWordMs) {
        nextWordMs += TELL_EVERY_MS;
        this.options.progress(`  ${seconds(after)} ${when}: ${wrong.length} differences, e.g. ${wrong[0]}`);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Loses something, and waits until nothing of it is shown: within the bound. Returns after how many milliseconds, if so. */
  private async lose({ kind, parts, worlds }: LossPlan): Promise<number | undefined> {
    const { failures, options, things, views } = this;
    const beganAt = now();
    const targets = parts.map((part) => this.targetOf(part));
    const isForGood = kind === "board" || kind === "half";
    options.progress(`${parts.join(" and ")} ${isForGood ? "killed for good" : "frozen"}`);
    for (const target of targets) {
      if (isForGood) await target.stop("SIGKILL");
      else target.freeze();
    }
    const lostMs = () => now() - beganAt;
    let wrong = stillShown(things, views, worlds);
    while (wrong.length > 0 && lostMs() < LOST[kind]) {
      await sleep(LOOK_EVERY_MS);
      wrong = stillShown(things, views, worlds);
    }
    const ms = lostMs();
    const tell = (what: string, some: readonly string[]) => {
      if (some.length > 0)
        failures.push(`${seconds(ms)} after the loss (${kind}) ${what}:\n  ${some.slice(0, 10).join("\n  ")}`);
    };
    tell(`(bound ${seconds(LOST[kind])})`, wrong);
    tell("what is not lost is not there any more", takenAway(things, views, worlds, beganAt));
    options.progress(`${wrong.length === 0 ? "nothing" : "something"} of it is shown after ${seconds(ms)}`);
    if (isForGood) await this.converged("after the loss", CONVERGENCE, worlds);
    else {
      for (const target of targets) target.thaw();
      options.progress(`${parts.join(" and ")} back`);
      const backAt = now();
      await this.converged("after the return", CONVERGENCE);
      await this.brokersConverged(CONVERGENCE - (now() - backAt));
      const { north, south } = await this.listen(KEPT_SECONDS);
      failures.push(...keptWrongly({ north: north.kept, south: south.kept }, this.shownIds()));
    }
    return wrong.length === 0 ? ms : undefined;
  }

  /** Waits until the brokers keep what they should. Boards may be right before: they show what was there for a while. */
  private async brokersConverged(limitMs: number): Promise<void> {
    const began = now();
    let nextWordMs = TELL_EVERY_MS;
    for (;;) {
      const { north, south } = await this.listen(KEPT_SECONDS);
      const wrong = keptWrongly({ north: north.kept, south: south.kept }, this.shownIds());
      const after = now() - began;
      if (wrong.length === 0) return;
      // What is wrong then is told by isQuiet.
      if (after > limitMs) return;
      if (after > nextWordMs) {
        nextWordMs += TELL_EVERY_MS;
        this.options.progress(`  ${seconds(after)} later: ${wrong.length} wrong at the brokers, e.g. ${wrong[0]}`);
      }
    }
  }

  private async listen(forSeconds: number): Promise<Record<(typeof BROKERS)[number], Traffic>> {
    const [north, south] = await Promise.all([
      listen(this.brokers.north, forSeconds),
      listen(this.brokers.south, forSeconds),
    ]);
    return { north, south };
  }

  /** The brokers keep the same and carry little, and the boards still agree afterwards. */
  private async isQuiet() {
    const { failures, options } = this;
    const { idleSeconds = IDLE_SECONDS } = options;
    const { north, south } = await this.listen(idleSeconds);
    const ids = this.shownIds();
    const idleLimit = idleMessages(options.devices, ids.length, idleSeconds);
    const idle = { north: 0, south: 0 };
    for (const [name, { live }] of [
      ["north", north],
      ["south", south],
    ] as const) {
      idle[name] = [...live.values()].reduce((sum, count) => sum + count, 0);
      if (idle[name] <= idleLimit) continue;
      const most = [...live].sort(([, a], [, b]) => b - a).slice(0, 5);
      failures.push(
        `not idle: ${name} carried ${idle[name]} messages in ${idleSeconds} s, more than ${idleLimit}; most of them: ${most.map(([topic, count]) => `${count} ${topic}`).join(", ")}`,
      );
    }
    failures.push(...keptWrongly({ north: north.kept, south: south.kept }, ids));
    for (const wrong of differences(this.things, this.views, now())) {
      failures.push(`converged, but not for long: ${wrong}`);
    }
    return { idle, idleLimit };
  }

  /** Of all that is to be shown now, as the topics have them. */
  private shownIds(): string[] {
    const shown = new Set<string>();
    for (const { type, serviceId } of this.views.at(-1)!.told) {
      if (type === "disappeared") shown.delete(serviceId);
      else shown.add(serviceId);
    }
    return [...shown].map((id) => BigInt(id).toString(16).padStart(16, "0"));
  }
}

const brokerTarget = (broker: Mosquitto) => ({
  freeze: () => broker.freeze(),
  thaw: () => broker.thaw(),
  stop: (signal: "SIGKILL" | "SIGTERM") => broker.kill(signal),
  start: () => broker.start(),
});

const linkTarget = (link: Brokers["link"]) => ({
  freeze: () => link.freeze(),
  thaw: () => link.mend(),
  stop: async (_: "SIGKILL" | "SIGTERM") => link.cut(),
  start: async () => link.mend(),
});

const boardTarget = (board: Board) => ({
  freeze: () => board.signal("SIGSTOP"),
  thaw: () => board.signal("SIGCONT"),
  stop: (signal: "SIGKILL" | "SIGTERM") => board.stop(signal),
  start: () => board.start(),
});
