/** The interactive commands, each with the output of the reference's (pafd-and-pafc.md, 3.1). */

import { MAX_VERSION, MIN_VERSION, RequestError, type Session } from "../../client/session.js";
import type { Clock } from "../../core/clock.js";
import { printable } from "../../core/printable.js";
import { GATEWAYS_FILTER, gatewayLines, gatewaysOf } from "../gateways.js";
import { hex, randomId } from "../ids.js";
import {
  clientRow,
  clientsHeader,
  matchLine,
  SUBSCRIPTIONS_HEADER,
  servicesTable,
  subscriptionRow,
} from "../tables.js";
import { UsageError } from "../usage-error.js";
import type { TypedCommand } from "./command-word.js";
import { splitShellWords } from "./shell-words.js";
import { type CommandWord, helpLines, isCommandWord } from "./topics.js";
import { typedId, typedInteger, typedProperties, typedServiceId } from "./typed-numbers.js";

export interface PromptOptions {
  readonly session: Session;
  readonly clientId: bigint;
  /** What the hello offered. */
  readonly versions: { readonly min: number; readonly max: number };
  readonly clock: Clock;
  /** Shows whole lines, safe for a terminal or made so by `print`; also while the user is typing. */
  readonly print: (lines: readonly string[]) => void;
  /** For the headings of tables. */
  readonly emphasize: (text: string) => string;
  /** How wide a line may be now, in columns. */
  readonly width: () => number;
  /** The answer, or a rejection if it takes too long. */
  readonly bounded: <T>(answer: Promise<T>) => Promise<T>;
}

/** What the commands of one session remember. */
export class PromptCommands {
  private tracking = false;
  private verbose = false;

  constructor(private readonly options: PromptOptions) {}

  /**
   * Carries a command out; resolves to "leave" if it asks for that. Rejects with a `UsageError` if it was typed wrongly, a
   * `RequestError` if the server refused it, or with what ended the session.
   */
  async run(typed: TypedCommand): Promise<"leave" | undefined> {
    if (!isCommandWord(typed.name)) throw new UsageError([`*** Unknown syntax: ${typed.line}`]);
    if (typed.name === "quit" || typed.name === "EOF") return "leave";
    await this.commands[typed.name](typed.rest);
    return undefined;
  }

  private readonly commands: Readonly<Record<Exclude<CommandWord, "quit" | "EOF">, (rest: string) => unknown>> = {
    help: (topic) => this.print(...helpLines(topic, this.options.width())),
    id: () => this.print(`Client Id: 0x${hex(this.options.clientId)}`),
    hello: async () => {
      const version = await this.options.bounded(this.session.hello());
      this.print(`Negotiated Protocol Version: ${version}`, OK);
    },
    version: () => {
      const { versions } = this.options;
      this.print(
        "Protocol version:",
        `  Supported by client: ${MIN_VERSION}-${MAX_VERSION}`,
        `  Advertised: ${versions.min}-${versions.max}`,
        `  Used: ${this.session.protocolVersion}`,
        OK,
      );
    },
    ping: async () => {
      const ms = await this.timed(this.options.bounded(this.session.ping()));
      this.print(`${ms} ms`, OK);
    },
    clients: async () => {
      const found = await this.options.bounded(this.session.clients());
      const [version, now] = [this.session.protocolVersion, this.options.clock.unixSeconds()];
      this.table(
        clientsHeader(version),
        found.map((client) => clientRow(client, version, now)),
      );
    },
    services: async (rest) => {
      const found = await this.options.bounded(this.session.services(onlyWord(rest)));
      const [header, ...rows] = servicesTable(found, this.options.clock.unixSeconds());
      this.table(header, rows);
    },
    gateways: async () => {
      const found = gatewaysOf(await this.options.bounded(this.session.services(GATEWAYS_FILTER)));
      const [header, ...lines] = gatewayLines(found, this.options.clock.unixSeconds());
      if (found.length === 0) this.print(header, ...lines, OK);
      else this.table(header, lines);
    },
    subscriptions: async () => {
      const found = await this.options.bounded(this.session.subscriptions());
      this.table(SUBSCRIPTIONS_HEADER, found.map(subscriptionRow));
    },
    publish: (rest) => this.publish(splitShellWords(rest)),
    unpublish: async (rest) => {
      await this.options.bounded(this.session.unpublish(typedServiceId(rest)));
      this.print(OK);
    },
    subscribe: (rest) => this.subscribe(onlyWord(rest)),
    unsubscribe: async (rest) => {
      await this.options.bounded(this.session.unsubscribe(typedId(rest)));
      this.print(OK);
    },
    track: (rest) => this.track(splitShellWords(rest)),
  };

  private async publish(words: readonly string[]): Promise<void> {
    if (words.length === 0) throw new UsageError(["Service name is missing."]);
    if (words.length === 1) throw new UsageError(["Missing TTL and generation."]);
    const isNamed = words.length % 2 === 1;
    const id = isNamed ? typedServiceId(words[0]) : randomId();
    const [generation, ttl, ...pairs] = isNamed ? words.slice(1) : words;
    const service = {
      id,
      generation: typedInteger(generation),
      ttlSeconds: typedInteger(ttl),
      properties: typedProperties(pairs),
    };
    if (!isNamed) this.print(`Service Id ${hex(id)}.`);
    await this.options.bounded(this.session.publish(service));
    this.print(OK);
  }

  private async subscribe(filter: string | undefined): Promise<void> {
    const { clock, bounded } = this.options;
    const id = randomId();
    this.print(`Subscription Id ${hex(id)}.`);
    const accepted = this.session.subscribe(
      id,
      filter,
      (match) => this.print(matchLine(id, match, clock.unixSeconds())),
      () => this.print(`Subscription ${hex(id)} canceled.`),
    );
    try {
      await bounded(accepted);
      this.print(OK);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.print(printable(error.failReason ?? "no reason given")); // bare, unlike that of the other commands
    }
  }

  private async track(words: readonly string[]): Promise<void> {
    if (words.length > 1) throw new UsageError(["Too many arguments."]);
    switch (words[0]) {
      case undefined:
        if (this.tracking) throw new UsageError(["Connection already has a track transaction."]);
        await this.options.bounded(
          this.session.startTrack(() => {
            if (this.verbose) this.print("Responded to track query notification.");
          }),
        );
        this.tracking = true;
        break;
      case "query":
        if (!this.tracking) throw new UsageError(["Connection has no track transaction."]);
        this.query();
        break;
      case "verbose":
      case "quiet":
        this.verbose = words[0] === "verbose";
        break;
      default:
        throw new UsageError([`Unknown track sub-command '${words[0]}'.`]);
    }
    this.print(OK);
  }

  /** The reply is shown when it comes; the end of the session, which may come instead, has its own message. */
  private query(): void {
    this.timed(this.session.trackQuery()).then(
      (ms) => this.print(`Received reply to track query in ${ms} ms.`),
      () => {},
    );
  }

  private async timed(answer: Promise<unknown>): Promise<string> {
    const beganMs = this.options.clock.monotonicMs();
    await answer;
    return (this.options.clock.monotonicMs() - beganMs).toFixed(1);
  }

  private table(header: string, rows: readonly string[]): void {
    this.print(this.options.emphasize(header), ...(rows.length === 0 ? [] : [rows.join("\n")]), OK);
  }

  private print(...lines: readonly string[]): void {
    this.options.print(lines);
  }

  private get session(): Session {
    return this.options.session;
  }
}

const OK = "OK.";

/** The filter: only if there is exactly one word. */
function onlyWord(rest: string): string | undefined {
  const words = splitShellWords(rest);
  return words.length === 1 ? words[0] : undefined;
}
