/** The commands of pafc, each over a session that is connected: what is asked, and what is printed. */

import { RequestError, type Session, type SessionOptions } from "../client/session.js";
import type { Clock } from "../core/clock.js";
import { bench } from "./bench/bench.js";
import type { Command, Invocation } from "./command-line.js";
import { Deadline } from "./deadline.js";
import { GATEWAYS_FILTER, gatewayJson, gatewayLines, gatewaysOf } from "./gateways.js";
import { hex, randomId } from "./ids.js";
import type { Interrupt } from "./interrupts.js";
import { clientJson, matchJson, serviceJson, subscriptionJson, toJson } from "./json.js";
import type { Output, PafcIo } from "./output.js";
import { ping } from "./ping.js";
import { clientRow, clientsHeader, matchLine, SUBSCRIPTIONS_HEADER, servicesTable, subscriptionRow } from "./tables.js";
import { top } from "./top/top.js";

export interface CommandContext {
  readonly session: Session;
  /** Of the server. */
  readonly address: string;
  readonly invocation: Invocation;
  readonly output: Output;
  readonly io: PafcIo;
  /** Another session with the same server; the signal ends the attempt. Its owner closes it. */
  readonly connect: (signal: AbortSignal, options?: Partial<SessionOptions>) => Promise<Session>;
  readonly clock: Clock;
  /** Runs since before the session was made. */
  readonly deadline: Deadline;
  /** Resolves when the user has had enough. Until it is first called, an interrupt ends the process as usual. */
  readonly interrupted: () => Promise<Interrupt>;
}

const MATCH_COLOURS = { appeared: "green", modified: "yellow", disappeared: "red" } as const;

/** Carries `command` out. Rejects with what `failureLines` knows. */
export function runCommand(command: Command, context: CommandContext): Promise<void> {
  switch (command.name) {
    case "services":
      return services(command, context);
    case "subscriptions":
      return subscriptions(context);
    case "clients":
      return clients(context);
    case "gateways":
      return gateways(context);
    case "publish":
      return publish(command, context);
    case "unpublish":
      return unpublish(command, context);
    case "subscribe":
      return subscribe(command, context);
    case "ping":
      return ping(command, context);
    case "top":
      return top(command, context);
    case "bench":
      return bench(command, context);
  }
}

type Of<Name extends Command["name"]> = Extract<Command, { name: Name }>;

async function services({ filter }: Of<"services">, context: CommandContext): Promise<void> {
  const { session, output, clock, deadline } = context;
  const found = await deadline.bound(session.services(filter));
  if (output.json) {
    output.line(toJson(found.map(serviceJson)));
    return;
  }
  const [header, ...table] = servicesTable(found, clock.unixSeconds());
  output.line(output.paint("bold", header), ...rows(table, (row) => row));
}

async function subscriptions({ session, output, deadline }: CommandContext): Promise<void> {
  const found = await deadline.bound(session.subscriptions());
  if (output.json) output.line(toJson(found.map(subscriptionJson)));
  else output.line(output.paint("bold", SUBSCRIPTIONS_HEADER), ...rows(found, subscriptionRow));
}

async function clients({ session, output, clock, deadline }: CommandContext): Promise<void> {
  const found = await deadline.bound(session.clients());
  const version = session.protocolVersion;
  if (output.json) output.line(toJson(found.map(clientJson)));
  else {
    const row = (client: (typeof found)[number]) => clientRow(client, version, clock.unixSeconds());
    output.line(output.paint("bold", clientsHeader(version)), ...rows(found, row));
  }
}

async function gateways({ session, output, clock, deadline }: CommandContext): Promise<void> {
  const found = gatewaysOf(await deadline.bound(session.services(GATEWAYS_FILTER)));
  if (output.json) {
    output.line(toJson(found.map(gatewayJson)));
    return;
  }
  const [header, ...lines] = gatewayLines(found, clock.unixSeconds());
  output.line(found.length === 0 ? header : output.paint("bold", header), ...rows(lines, (line) => line));
}

/** All rows as one text: a list may be longer than a call may have arguments. */
function rows<T>(elements: readonly T[], row: (element: T) => string): string[] {
  return elements.length === 0 ? [] : [elements.map((element) => row(element)).join("\n")];
}

async function publish(command: Of<"publish">, context: CommandContext): Promise<void> {
  const { session, output, deadline, address, invocation } = context;
  const id = command.serviceId ?? randomId();
  const { generation, ttlSeconds, properties, leave } = command;
  // From here on an interrupt withdraws what may have been published already.
  const interrupted = leave ? undefined : context.interrupted();
  await deadline.bound(session.publish({ id, generation, ttlSeconds, properties }));
  output.line(output.json ? toJson({ id: hex(id) }) : `Service Id ${hex(id)}.`);
  if (interrupted === undefined) return;
  await deadline.bound(session.track());
  deadline.cancel();
  output.hint("Published until Ctrl-C.");
  await untilEnd(context, interrupted);
  const withdrawal = new Deadline(invocation.timeoutSeconds, address);
  try {
    await withdrawal.bound(session.unpublish(id));
  } catch (error) {
    const isGone = error instanceof RequestError && error.failReason === "non-existent-service-id";
    if (!isGone) throw error; // else somebody was faster
  } finally {
    withdrawal.cancel();
  }
}

async function unpublish({ serviceId }: Of<"unpublish">, context: CommandContext): Promise<void> {
  const { session, output, deadline } = context;
  await deadline.bound(session.unpublish(serviceId));
  output.line(output.json ? toJson({ id: hex(serviceId) }) : "OK.");
}

async function subscribe({ filter }: Of<"subscribe">, context: CommandContext): Promise<void> {
  const { session, output, clock, deadline } = context;
  const id = randomId();
  const interrupted = context.interrupted();
  // First: behind the services that are there, the answer would be as late as the reader of the output is slow.
  await deadline.bound(session.track());
  await deadline.bound(
    session.subscribe(id, filter, (match) => {
      if (output.json) output.line(toJson(matchJson(id, match)));
      else output.line(matchLine(id, match, clock.unixSeconds(), (type) => output.paint(MATCH_COLOURS[type], type)));
    }),
  );
  deadline.cancel();
  output.hint("Waiting for matches until Ctrl-C.");
  await untilEnd(context, interrupted);
}

/** Resolves when interrupted or nobody reads the output any more; rejects when the server has gone. */
async function untilEnd({ session, output }: CommandContext, interrupted: Promise<unknown>): Promise<void> {
  const gone = session.closed.then((error) => {
    if (error) throw error;
  });
  await Promise.race([interrupted, output.ended, gone]);
}
