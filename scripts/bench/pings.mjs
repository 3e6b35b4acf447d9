/** How long the requests of somebody who does nothing unusual take, while something else goes on. */

const PING_EVERY_MS = 5;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Pings every few milliseconds until told to stop. `request(text)` resolves with the answer. Returns the function that
 * ends it and resolves with the times in milliseconds, sorted.
 */
export function pinger(request) {
  const times = [];
  let over = false;
  let taId = 1;
  const running = (async () => {
    for (let next = performance.now(); !over; next += PING_EVERY_MS) {
      const began = performance.now();
      await request(`{"ta-cmd":"ping","ta-id":${taId++},"msg-type":"request"}`);
      times.push(performance.now() - began);
      await sleep(Math.max(0, next + PING_EVERY_MS - performance.now()));
    }
  })();
  return async () => {
    over = true;
    await running;
    return times.sort((a, b) => a - b);
  };
}

/** Reports `times` in microseconds, beside those of the same pings when nothing else went on. */
export function reportPings(report, name, times, alone, reach) {
  for (const [title, share] of [
    ["median", 0.5],
    ["99 %", 0.99],
    ["longest", 1],
  ]) {
    const floor = at(alone, share) * 1000;
    report(`${name}, ${title}`, at(times, share) * 1000, "µs", {
      floor,
      ...(reach && share === 0.99 ? { reach } : {}),
    });
  }
}

const at = (times, share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
