/** `pafc ADDR top`: a live view of a domain that fills the terminal, and gives it back as it was. */

import type { Key } from "node:readline";
import type { Command } from "../command-line.js";
import type { CommandContext } from "../commands.js";
import { JobControl } from "../job-control.js";
import type { PafcIo, TerminalInput } from "../output.js";
import { UsageError } from "../usage-error.js";
import { DomainWatch } from "./domain-watch.js";
import { Keyboard } from "./keyboard.js";
import { makePanes, PANE_NAMES, type Panes } from "./panes.js";
import { Screen } from "./screen.js";
import { type Picture, render } from "./view.js";

/** Changes of the domain are shown this long after the last picture at the earliest; what the user does, sooner. */
const PICTURE_MS = 250;
const ANSWER_TO_KEY_MS = 30;
/** Times are shown in seconds. */
const TICK_MS = 1_000;
/** Characters of a filter. */
const LONGEST_FILTER = 200;

type TopCommand = Extract<Command, { name: "top" }>;

/** Throws a `UsageError` if there is nobody to look at it. */
export function terminalFor({ stdin, stdout, env }: PafcIo): TerminalInput {
  if (stdin?.isTTY && stdout.isTTY && env.TERM !== "dumb") return stdin;
  throw new UsageError([
    "top needs a terminal for standard input and output (and TERM not 'dumb').",
    "For scripts: pafc --json ADDR services|subscriptions|clients, or pafc --json ADDR subscribe.",
  ]);
}

/** Resolves when the user leaves; the loss of a connection is shown and overcome. */
export async function top({ intervalSeconds }: TopCommand, context: CommandContext): Promise<void> {
  const { session, io, output, deadline } = context;
  deadline.cancel();
  const view = new TopView(context, terminalFor(io), intervalSeconds * 1000);
  const restore = () => view.close();
  process.once("exit", restore); // a bug or a second signal: whatever ends the process, the terminal is given back
  try {
    // Before the terminal is touched: from now on a signal is heeded.
    const interrupted = context.interrupted();
    view.open();
    await Promise.race([interrupted, output.ended, view.left, view.watch.run(session)]);
  } finally {
    view.close();
    process.off("exit", restore);
  }
}

class TopView {
  readonly watch: DomainWatch;
  /** Resolves when the user has asked to leave. */
  readonly left: Promise<void>;
  private leave!: () => void;
  private readonly screen: Screen;
  private readonly keyboard: Keyboard;
  private readonly jobControl = new JobControl(
    () => this.giveBack(),
    () => this.takeAgain(),
  );
  private readonly panes: Panes;
  private active = 0;
  private mode: Picture["mode"] = "table";
  private typed = "";
  private tick: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and when the last picture was made, on the monotonic clock. */
  private dueMs = Infinity;
  private paintedMs = -Infinity;

  constructor(
    private readonly context: CommandContext,
    input: TerminalInput,
    intervalMs: number,
  ) {
    const { clock, invocation, connect, io, output } = context;
    this.left = new Promise((resolve) => {
      this.leave = resolve;
    });
    this.screen = new Screen(io.stdout, output.coloured);
    this.keyboard = new Keyboard(
      input,
      (key, text) => this.onKey(key, text),
      () => this.leave(),
    );
    const watch = new DomainWatch({
      connect,
      address: context.address,
      clock,
      random: Math.random,
      intervalMs,
      timeoutSeconds: invocation.timeoutSeconds,
      onChange: () => this.paintWithin(PICTURE_MS),
    });
    this.watch = watch;
    this.panes = makePanes({
      services: watch.services,
      get subscriptions() {
        return { rows: watch.subscriptions ?? [], version: watch.listsVersion };
      },
      get clients() {
        return { rows: watch.clients ?? [], version: watch.listsVersion };
      },
    });
  }

  open(): void {
    this.keyboard.open();
    this.screen.open();
    this.context.io.stdout.on("resize", this.redraw);
    this.jobControl.open();
    this.tick = setInterval(() => this.paintWithin(0), TICK_MS);
    this.paintWithin(0);
  }

  close(): void {
    clearInterval(this.tick);
    clearTimeout(this.timer);
    this.context.io.stdout.off("resize", this.redraw);
    this.jobControl.close();
    this.giveBack();
    this.watch.end();
  }

  private readonly redraw = () => {
    this.screen.invalidate();
    this.paintWithin(0);
  };

  private giveBack(): void {
    this.screen.close();
    this.keyboard.close();
  }

  /** The shell has had the terminal. */
  private takeAgain(): void {
    this.giveBack();
    this.keyboard.open();
    this.screen.open();
    this.redraw();
  }

  /** A picture `gapMs` after the last one, or now if that has passed. */
  private paintWithin(gapMs: number): void {
    const { clock } = this.context;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.max(nowMs, this.paintedMs + gapMs);
    if (dueMs >= this.dueMs) return;
    this.dueMs = dueMs;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.dueMs = Infinity;
      this.paintedMs = clock.monotonicMs();
      this.screen.show(render(this.picture(), this.screen.size));
    }, dueMs - nowMs);
  }

  private picture(): Picture {
    const { watch, panes, active, mode, typed } = this;
    const { clock, address } = this.context;
    const { services, rates, protocolVersion, latencyMs } = watch;
    const nowMs = clock.monotonicMs();
    return {
      address,
      link:
        protocolVersion === undefined
          ? { state: "lost", reason: watch.reason, retryInSeconds: (watch.retryAtMs - nowMs) / 1000 }
          : { state: "connected", protocolVersion, latencyMs },
      isSyncing: services.isSyncing,
      services: services.size,
      orphans: services.orphans,
      subscriptions: watch.countOf("subscriptions"),
      clients: watch.countOf("clients"),
      perSecond: rates.perSecond(nowMs),
      totals: rates.totals,
      panes,
      active,
      mode,
      typed,
      nowUnixSeconds: clock.unixSeconds(),
    };
  }

  private onKey(key: Key, text: string): void {
    if (key.ctrl && key.name === "c") this.leave();
    else if (key.ctrl && key.name === "z") this.jobControl.stopAll();
    else if (key.ctrl && key.name === "l") this.screen.invalidate();
    else if (this.mode === "filter") this.onFilterKey(key, text);
    else if (this.mode === "help") this.mode = "table";
    else this.onTableKey(key, text);
    this.paintWithin(ANSWER_TO_KEY_MS);
  }

  private onFilterKey({ name, ctrl, meta }: Key, text: string): void {
    const pane = this.panes[this.active];
    if (name === "escape") this.typed = "";
    else if (name === "backspace") this.typed = [...this.typed].slice(0, -1).join("");
    else if (ctrl && name === "u") this.typed = "";
    else if (!ctrl && !meta && text >= " ") this.typed = (this.typed + text).slice(0, LONGEST_FILTER);
    pane.filter = this.typed;
    if (name === "escape" || name === "return" || name === "enter") this.mode = "table";
  }

  private onTableKey({ name, shift }: Key, text: string): void {
    const pane = this.panes[this.active];
    const act = TABLE_KEYS[text] ?? TABLE_KEYS[name ?? ""];
    if (text === "q") this.leave();
    else if (text === "?") this.mode = "help";
    else if (text === "/") {
      this.mode = "filter";
      this.typed = pane.filter;
    } else if (name === "tab") this.turnTo((this.active + (shift ? this.panes.length - 1 : 1)) % this.panes.length);
    else if (text >= "1" && Number(text) <= this.panes.length) this.turnTo(Number(text) - 1);
    else if (name === "escape") pane.filter = "";
    else act?.(pane);
  }

  private turnTo(active: number): void {
    this.active = active;
    this.watch.look(PANE_NAMES[active]);
  }
}

/** By what a key writes, or its name. */
const TABLE_KEYS: { readonly [key: string]: ((pane: Panes[number]) => void) | undefined } = {
  s: (pane) => pane.sortByNext(),
  r: (pane) => pane.reverse(),
  up: (pane) => pane.scroll(-1),
  down: (pane) => pane.scroll(1),
  pageup: (pane) => pane.scrollPages(-1),
  pagedown: (pane) => pane.scrollPages(1),
  home: (pane) => pane.scroll(-Infinity),
  end: (pane) => pane.scroll(Infinity),
  left: (pane) => pane.scrollSideways(-1),
  right: (pane) => pane.scrollSideways(1),
};
