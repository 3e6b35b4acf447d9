/**
 * `npm run fuzz -- mdns`: a gateway under a flood of mutated packets from one host, while another host announces real
 * services, all on real sockets in namespaces. Every announcement must be seen within its time, and memory must settle.
 */

import { type LabEvent, MdnsLab, type Usage } from "../mdns/lab.js";

export interface FloodOptions {
  readonly seconds: number;
  readonly perSecond: number;
  readonly seed: number;
}

/** After its first announcement; the last of five goes out after 15 s. */
const SEEN_WITHIN_SECONDS = 20;
const REAL_EVERY_SECONDS = 2;
const WARM_UP_SECONDS = 5;
/** Of the gateway's process: Node.js itself takes 9, and what it keeps of a flood is bounded by its limits. */
const MEMORY_LIMIT_MIB = 128;
/**
 * If the kernel threw away more than this share before the gateway had the CPU to read it, five announcements may all have
 * been among them: then what is missing is told, but is no failure of the gateway.
 */
const JUDGED_LOSS = 0.25;

export async function floodGateway({ seconds, perSecond, seed }: FloodOptions): Promise<string> {
  const announcedMs = new Map<string, number>();
  const seenMs = new Map<string, number>();
  let sent = 0;
  let tellFlooded = () => {};
  const flooded = new Promise<void>((resolve) => (tellFlooded = resolve));
  const lab = await MdnsLab.start((event: LabEvent) => {
    const name = event.name ?? String(event.properties?.name?.[0]);
    if (event.event === "announced") announcedMs.set(name, performance.now());
    if (event.event === "publish" && !seenMs.has(name)) seenMs.set(name, performance.now());
    if (event.event === "flooded") {
      sent = event.sent ?? 0;
      tellFlooded();
    }
  });
  try {
    await lab.host("g", 1);
    const [flooder, announcer] = [await lab.host("f", 2), await lab.host("r", 3)];
    const gateway = await lab.gateway("g", { types: "all" });
    const usage = () => lab.usage("g", gateway);
    await sleep(WARM_UP_SECONDS);
    const before = await usage();
    await lab.peer("f", { role: "flood", address: flooder, perSecond, seconds, seed });
    const real = { role: "announcer", address: announcer, type: "_real._tcp" } as const;
    await lab.peer("r", {
      ...real,
      everySeconds: REAL_EVERY_SECONDS,
      seconds: Math.max(1, seconds - SEEN_WITHIN_SECONDS),
    });
    await sleep(seconds / 2);
    const middle = await usage();
    await flooded;
    const after = await usage(); // fails if the gateway has ended
    const missing = [...announcedMs].filter(
      ([name, atMs]) => !((seenMs.get(name) ?? Number.POSITIVE_INFINITY) - atMs <= SEEN_WITHIN_SECONDS * 1000),
    );
    const text = report({ before, middle, after, seconds, sent, announcedMs, seenMs });
    const lost = after.lost - before.lost;
    const isJudged = lost / (lost + after.received - before.received) <= JUDGED_LOSS;
    const notSeen = `not seen in time: ${missing.map(([name]) => name).join(", ") || "none"}`;
    if (missing.length > 0 && isJudged) throw new Error(`${text}\n${notSeen}`);
    if (announcedMs.size === 0) throw new Error(`${text}\nnothing was announced`);
    if (after.anonymousMiB > MEMORY_LIMIT_MIB) throw new Error(`${text}\nmore than ${MEMORY_LIMIT_MIB} MiB`);
    if (!isJudged) return `${text}\n${notSeen}; too many datagrams were lost before the gateway to judge that`;
    return text;
  } finally {
    await lab.stop();
  }
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

function report(run: {
  readonly before: Usage;
  readonly middle: Usage;
  readonly after: Usage;
  readonly seconds: number;
  readonly sent: number;
  readonly announcedMs: ReadonlyMap<string, number>;
  readonly seenMs: ReadonlyMap<string, number>;
}): string {
  const { before, middle, after, seconds, sent, announcedMs, seenMs } = run;
  const received = after.received - before.received;
  const cpuMs = after.cpuMs - before.cpuMs;
  const delays = [...announcedMs]
    .flatMap(([name, atMs]) => (seenMs.has(name) ? seenMs.get(name)! - atMs : []))
    .sort((a, b) => a - b);
  return [
    `${sent} mutated packets in ${seconds} s (${Math.round(sent / seconds)}/s), ${received} datagrams read, ${after.lost - before.lost} lost before`,
    `CPU ${((cpuMs * 1000) / received).toFixed(0)} µs per packet, ${(cpuMs / seconds / 10).toFixed(0)} % of a core; ${((after.waitedMs - before.waitedMs) / seconds / 10).toFixed(0)} % of the time it waited for one`,
    `anonymous memory ${before.anonymousMiB.toFixed(1)} MiB before, ${middle.anonymousMiB.toFixed(1)} in the middle, ${after.anonymousMiB.toFixed(1)} at the end`,
    `${delays.length} of ${announcedMs.size} real services seen, the median after ${Math.round(delays[delays.length >> 1])} ms, the last after ${Math.round(delays[delays.length - 1])} ms`,
  ].join("\n");
}
