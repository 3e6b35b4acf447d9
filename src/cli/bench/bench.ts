/** `pafc ADDR bench`: fills a server, measures it, and leaves it as it was. */

import { setMaxListeners } from "node:events";
import { Outbox } from "../../transport/outbox.js";
import type { Command } from "../command-line.js";
import type { CommandContext } from "../commands.js";
import { Deadline } from "../deadline.js";
import { randomId } from "../ids.js";
import { type Interrupt, InterruptedError } from "../interrupts.js";
import { toJson } from "../json.js";
import { INTERRUPTED } from "../ping.js";
import { Load, type LoadResult } from "./load.js";
import { Population } from "./population.js";
import { Progress } from "./progress.js";
import { benchJson, loadTable, operationsTable } from "./results.js";
import { type OperationTimes, timeOperations } from "./timed-operations.js";

type BenchCommand = Extract<Command, { name: "bench" }>;

/**
 * Prints the results, or nothing and rejects with an `InterruptedError`. In any case what was published is withdrawn.
 */
export async function bench(command: BenchCommand, context: CommandContext): Promise<void> {
  const { session, invocation, output, io, clock } = context;
  context.deadline.cancel();
  // The wait for any answer. When it has been given up, nothing more is asked.
  const deadline = new Deadline(invocation.timeoutSeconds, context.address);
  const { signal } = deadline;
  setMaxListeners(0, signal); // each connection being made listens
  let interrupt: Interrupt | undefined;
  void context.interrupted().then((signalled) => {
    interrupt = signalled;
    deadline.giveUp(INTERRUPTED);
  });
  void output.ended.then(() => deadline.giveUp(INTERRUPTED));
  const progress = new Progress(io.stderr, clock);
  const population = new Population(session);
  const load = new Load(clock, signal);
  const advance = (phase: string) => (done: number, total: number) => {
    deadline.prolong();
    progress.show(phase, done, total);
  };

  async function measure(): Promise<OperationTimes[]> {
    const { services, subscriptions } = command;
    await session.track();
    await population.publishAll(services, signal, (done) => advance("publishing services")(done, services));
    await population.subscribeAll(subscriptions, signal, (done) => advance("subscribing")(done, subscriptions));
    return timeOperations({ session, population, services, clock, signal, answered: advance("timing operations") });
  }

  async function measureLoad(): Promise<LoadResult | undefined> {
    const { clients, seconds, services, subscriptions } = command;
    if (clients === 0) return undefined;
    const outbox = new Outbox();
    const connect = () => context.connect(signal, { clientId: randomId(), outbox });
    await load.connect(clients, connect, (done) => advance("connecting clients")(done, clients));
    // Matches would all come to the session that owns the subscriptions, and it could not read as fast as all the others write.
    const firstService = Math.max(services, subscriptions);
    return load.run(seconds, firstService, (elapsed) => advance(`load of ${clients} clients`)(elapsed, seconds));
  }

  let working: Promise<unknown> = Promise.resolve();
  const lost = session.closed.then((error) => {
    throw error ?? INTERRUPTED;
  });
  lost.catch(() => {}); // it may come when nobody waits any more
  const inTime = <T>(work: Promise<T>): Promise<T> => {
    working = work;
    return Promise.race([deadline.bound(work), lost]);
  };
  try {
    const operations = await inTime(measure());
    const result = await inTime(measureLoad());
    progress.clear();
    if (output.json) output.line(toJson(benchJson(command, operations, result)));
    else output.line(...operationsTable(operations), ...(result ? ["", ...loadTable(result)] : []));
  } catch (error) {
    progress.clear();
    if (error !== INTERRUPTED) throw error;
    if (interrupt === undefined) return; // nobody reads the results
    output.hint("Interrupted; withdrawing what was published.");
    throw new InterruptedError(interrupt);
  } finally {
    deadline.giveUp(INTERRUPTED);
    await withdraw();
    progress.clear();
  }

  /** Bounded like everything else; a server that does not answer any more keeps the services until their TTL has passed. */
  async function withdraw(): Promise<void> {
    const last = new Deadline(invocation.timeoutSeconds, context.address);
    const answered = (done: number, total: number) => {
      last.prolong();
      progress.show("withdrawing services", done, total);
    };
    try {
      await last.bound(working.catch(() => {})); // the clients of a load withdraw their own
      if (!session.ended) await last.bound(population.withdrawAll(answered));
    } finally {
      last.cancel();
      load.close();
    }
  }
}
