/**
 * How long what may take, and where that stands: part D of mdns-and-mqtt-conventions.md, docs/federation.md,
 * libpaf-client.md. All in milliseconds unless the name says seconds.
 */

import { BOARDS } from "./plan.js";

/** What processes that share few cores with others may lose anywhere. */
const SLACK = 4000;

// --- what the site is made of ------------------------------------------------------------------------------------------

/** The least that a gateway takes (D.3). Of devices and services. */
export const TTL_SECONDS = 60;
const TTL = TTL_SECONDS * 1000;
/** Of devices (D.3) and of gateways; a broker ends a silent connection after one and a half of it (D.8). */
export const DEVICE_KEEPALIVE_SECONDS = 15;
export const GATEWAY_KEEPALIVE_SECONDS = 10;
/** A device that has lost its broker tries again after a random time (D.3 allows 30 s), and renews itself at TTL/2 ± 10 %. */
export const DEVICE_SPREAD = 6000;
export const RENEW = { least: 0.45 * TTL, most: 0.55 * TTL };
/** Sleepers are given one and a half of the time that they announce (D.5). */
export const SLEEP_FACTOR = 1.5;
/** A federation's grace, and that of a device's will (docs/federation.md; D.5). */
export const GRACE = 10_000;
/** After the broker came back, before anything expires (D.5). */
const SETTLE = 30_000;
/** The longest pause between two attempts of a gateway to reach its broker. */
const RECONNECT = 60_000;
/** A gateway listens for 3 s before it acts; others take over 2 to 5 s after a will (D.7). */
const LISTEN = 3000;
const TAKEOVER = 5000;
/** What a board that is started again had published stays for so long (docs/federation.md). */
const RETURN = 30_000;
/** Boards speak so often: two seconds for each of three is more than the least (docs/federation.md). */
export const HEARTBEAT_SECONDS = 5;
const HEARTBEAT = 6000;
/** A federation sweeps what was not told again 5 s after the board is complete (docs/federation.md). */
const SWEEP = 5000;

export const CLIENT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PAF_RECONNECT_MIN: "0.05",
  PAF_RECONNECT_MAX: "1",
  PAF_IDLE_MIN: "2",
  PAF_IDLE_MAX: "5",
};
/** A client that lost its server has it back, or has noticed that it is frozen, after so long (libpaf-client.md 5, 8). */
const CLIENT = 6000;

// --- bounds ------------------------------------------------------------------------------------------------------------

/** From an announcement to every board, if nothing is in trouble: device → broker → bridge → owner → federation → client. */
export const PROPAGATION = SLACK;

/**
 * From the end of a board's trouble (it is started again, or runs again) until it shows what there is, and all others what
 * is its to publish: D.8 "gateway dies: others take over in 2–5 s", and D.7 for its return.
 */
export const BOARD_RECOVERY = CLIENT + LISTEN + TAKEOVER + SWEEP + SLACK;

/** From when a gateway freezes until its broker says so for it (D.8: 11 s were measured for a keep alive of 5 s). */
const WILL = 1.5 * GATEWAY_KEEPALIVE_SECONDS * 1000 + SLACK;
/**
 * A device that comes when its owner is dead or frozen is shown by nobody before the others have noticed (at once if it is dead),
 * and for so long after that (D.7, D.8; docs/conventions/native.md).
 */
export const OWNER_LOST = { noticed: WILL, takeover: TAKEOVER + SLACK } as const;

/**
 * From the end of a broker's trouble until everything that lives is shown everywhere as it is: D.8 "broker restart", with the
 * longest pause before a gateway tries again. Bridges: what each broker had kept while they were apart is swapped, and a
 * state or announcement of before is believed until the device renews itself (D.3, ttl/2 + 10 %).
 */
export const BROKER_RECOVERY = RECONNECT + DEVICE_SPREAD + RENEW.most + LISTEN + TAKEOVER + SLACK;

/** From a broker's trouble on, services may come and go for so long: wrong states (see above), and orphans of that time. */
export const BROKER_UNREST = BROKER_RECOVERY + TTL;

/** What a device or service that has just come may still be told of its life before. */
export const REVIVED = BOARD_RECOVERY;

/** Until what has ended is gone everywhere, if nothing is in trouble (D.5, D.8). */
export const GONE = {
  left: PROPAGATION,
  died: GRACE + PROPAGATION,
  /** After one and a half of what it announced. */
  overslept: PROPAGATION,
} as const;

/**
 * Until what has ended is gone, from the end of the last trouble of anything. A board that was away has it as an orphan for a
 * TTL, and so has a client that lost its server; both after each other, and after RETURN.
 */
export const BOARD_LINGER = RETURN + 2 * TTL + GRACE + BOARD_RECOVERY;
/** A broker that was cut off brings back what has left meanwhile, for a TTL from when that was last heard. */
export const BROKER_LINGER = RECONNECT + SETTLE + 2 * TTL + GRACE + SLACK;

/** From the last fault until all boards show what there is, and nothing else. */
export const CONVERGENCE = Math.max(BROKER_RECOVERY, BROKER_LINGER, BOARD_LINGER);

/**
 * From a loss until nothing of what is lost is shown any more (docs/federation.md "When something fails"): three heartbeats,
 * or a will and the grace, then the TTL. Who has lost its broker notices that by the keep alive: twice that with mqtt.js.
 */
export const LOST = {
  board: GRACE + TTL + SLACK,
  half: 3 * HEARTBEAT + TTL + SLACK,
  bridge: 3 * HEARTBEAT + TTL + SLACK,
  frozen: 2 * GATEWAY_KEEPALIVE_SECONDS * 1000 + GRACE + TTL + SLACK,
} as const;

/** How long messages are counted in the end: each device renews itself meanwhile. */
export const IDLE_SECONDS = 35;
/** Mirrors that expire are renewed after half of their life, which is two minutes at least (MQTT 5 expiry, D.7). */
const MIRROR_RENEWED_SECONDS = 60;

/**
 * Messages that brokers may take in so many seconds when nothing happens: devices renew themselves (D.3), mirrors that expire
 * are renewed, boards of the federation speak, and each is carried over the bridge. Twice that, since it is no even flow.
 */
export function idleMessages(devices: number, services: number, forSeconds: number): number {
  const heartbeats = BOARDS.length / (HEARTBEAT / 1000);
  const perSecond = devices / (RENEW.least / 1000) + (devices + services) / MIRROR_RENEWED_SECONDS + heartbeats;
  return Math.ceil(2 * 2 * perSecond * forSeconds) + 10;
}

/** Absolute and the same in all processes of this machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
