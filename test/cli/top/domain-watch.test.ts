/** What top knows of the lists that are not in sight, with a real server and a clock that runs faster. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { DomainWatch, MOST_COUNTED } from "../../../src/cli/top/domain-watch.js";
import { Session } from "../../../src/client/session.js";
import { CLOCK, liveDomain, soon } from "../../client/live-domain.js";
import { Watch } from "../../support/transport-peers.js";

test("counts follow the domain while services are in sight; a long list is counted only while it is", async () => {
  const live = await liveDomain();
  const seen = new Watch();
  const connect = () => Session.connect(live.ux, { clientId: 7n });
  const watch = new DomainWatch({
    connect,
    address: live.ux,
    clock: { ...CLOCK, monotonicMs: () => 100 * CLOCK.monotonicMs() },
    random: Math.random,
    intervalMs: 10,
    timeoutSeconds: 10,
    onChange: () => seen.happened(),
  });
  const counts = () => [watch.countOf("subscriptions"), watch.countOf("clients")];
  const shows = (subscriptions: number | undefined, clients: number | undefined) =>
    seen.until(
      () => `${counts()}` === `${[subscriptions, clients]}`,
      `${subscriptions} and ${clients}; there are ${counts()}`,
    );
  assert.equal(counts(), [undefined, undefined]);
  const running = watch.run(await connect());
  await shows(1, 1);
  const other = await Session.connect(live.ux, { clientId: 8n });
  await shows(1, 2);
  const subscribe = (id: number) => other.subscribe(BigInt(id), "(a=b)", () => {});
  await Promise.all(Array.from({ length: MOST_COUNTED - 1 }, (_, i) => subscribe(i)));
  await shows(MOST_COUNTED, 2);
  await subscribe(MOST_COUNTED);
  await shows(undefined, 2);
  watch.look("subscriptions");
  await shows(MOST_COUNTED + 1, 2);
  await other.unsubscribe(0n);
  await shows(MOST_COUNTED, 2);
  watch.look("services");
  await other.unsubscribe(1n);
  await shows(MOST_COUNTED - 1, 2);
  other.close();
  await shows(1, 1);
  watch.end();
  await soon(running, "the end of the watch");
  live.close();
});

test.run();
