/** The picture of top, without a terminal: exactly the size asked for, whatever is shown; and what of it is written. */

import { Writable } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { columnsOf } from "../../../src/cli/top/columns.js";
import { compact } from "../../../src/cli/top/compact.js";
import { makePanes } from "../../../src/cli/top/panes.js";
import { difference, type Line, Screen } from "../../../src/cli/top/screen.js";
import { Services } from "../../../src/cli/top/services.js";
import { type Picture, render } from "../../../src/cli/top/view.js";
import type { ServiceState } from "../../../src/core/directory-access.js";
import { properties } from "../../../src/core/properties.js";
import { TerminalEmulator } from "../../support/terminal-emulator.js";

const NOW = 1_700_000_000;
const MAX = 2n ** 63n - 1n;

const state = (id: bigint, of: Parameters<typeof properties>[0], more: Partial<ServiceState> = {}): ServiceState => ({
  id,
  generation: 0n,
  ttlSeconds: 30n,
  owner: 0x2an,
  properties: properties(of),
  ...more,
});

function domain(...states: ServiceState[]) {
  const services = new Services();
  for (const service of states) services.apply({ type: "appeared", service });
  const subscriptions = [
    { id: 1n, client: 2n, filter: "(名前=プリンタ*)" },
    { id: MAX, client: MAX },
  ];
  const clients = [
    { id: MAX, address: `tcp:[${"fe80:".repeat(7)}1%eth0]:65535`, connectedAt: NOW - 200_000, idleSeconds: 0.25 },
    { id: 1n, address: "ux:00001", connectedAt: NOW, protocolVersion: 3, latencySeconds: 0.0015 },
  ];
  const panes = makePanes({
    services,
    subscriptions: { rows: subscriptions, version: 1 },
    clients: { rows: clients, version: 1 },
  });
  return { services, panes };
}

const HOSTILE = [
  state(3n, { name: "日本語 e\u0301\u0301\u0301 \u{1f468}\u200d\u{1f469}", x: "\x1b]0;title\x07\r\n" }),
  state(MAX, { n: [MAX, -MAX] }, { generation: MAX, ttlSeconds: MAX, owner: MAX, orphanSince: NOW - 5 }),
  state(1n, { name: "z" }, { orphanSince: NOW - 10 }),
  state(2n, {}, { orphanSince: NOW - 25.5 }),
];

const picture = (more: Partial<Picture> = {}): Picture => {
  const { services, panes } = domain(...HOSTILE);
  return {
    address: "tcp:example.com:4711",
    link: { state: "connected", protocolVersion: 3, latencyMs: 0.44 },
    isSyncing: false,
    services: services.size,
    orphans: services.orphans,
    subscriptions: 2,
    clients: undefined,
    perSecond: { appeared: 12.34, modified: 0, disappeared: 1 },
    totals: { appeared: 100, modified: 0, disappeared: 7 },
    panes,
    active: 0,
    mode: "table",
    typed: "",
    nowUnixSeconds: NOW,
    ...more,
  };
};

const VARIANTS: readonly Partial<Picture>[] = [
  {},
  { active: 1 },
  { active: 2 },
  { active: 3 },
  { mode: "help" },
  { mode: "filter", typed: "日本\x1b" },
  { link: { state: "lost", reason: "日".repeat(200), retryInSeconds: 3.2 } },
  { address: `ux:${"é".repeat(120)}`, isSyncing: true },
];

test("whatever is shown, the picture is as large as the screen", () => {
  for (const [columns, rows] of [
    [80, 24],
    [120, 40],
    [81, 9],
    [40, 8],
    [300, 3],
    [7, 30],
    [2, 2],
    [1, 1],
  ]) {
    for (const variant of VARIANTS) {
      const lines = render(picture(variant), { columns, rows });
      assert.is(lines.length, rows);
      for (const { text } of lines) assert.is(columnsOf(text), columns, `${columns} x ${rows}: ${text}`);
    }
  }
});

const texts = (more: Partial<Picture>, columns = 80, rows = 24) =>
  render(picture(more), { columns, rows }).map(({ text }) => text.trimEnd());

test("services", () => {
  assert.equal(texts({}, 100, 10), [
    "tcp:example.com:4711   protocol 3   latency 0.4 ms",
    "Services 4   orphans 3   subscriptions 2",
    "Changes/s: appeared 12.3 (100)  modified 0.0 (0)  disappeared 1.0 (7)",
    "[1 Services] 2 Subscriptions  3 Clients  4 Gateways  by Service Id",
    "     Service Id*                 Gen                 TTL              Orphan Owner            Proper",
    "               1                   0                  30                  20 2a               {'name",
    "               2                   0                  30                   5 2a               {}",
    "               3                   0                  30                   - 2a               {'name",
    "7fffffffffffffff 9223372036854775807 9223372036854775807 9223372036854775808 7fffffffffffffff {'n':",
    "1-4 panes   / filter   s sort   r reverse   ? help   q quit",
  ]);
});

test("gateways: those of the services that are some, with what each tells", () => {
  const gateway = (id: bigint, more: Parameters<typeof properties>[0]) =>
    state(id, { src: "gateway:attic", host: "attic", time: NOW - 5, ...more });
  const { panes } = domain(
    gateway(1n, {
      name: "mqtt localhost:1883",
      gateway: "mqtt",
      state: "waiting",
      "count.devices": 3,
      "dropped.not understood": 2,
      "dropped.too many devices": 1,
      error: "refused\x1b[2J",
    }),
    { ...gateway(2n, { gateway: "mdns", state: "running", "count.interfaces": 1 }), orphanSince: NOW - 2 },
    state(3n, { src: "mqtt:local", name: "lamp" }),
  );
  const lines = render(picture({ panes, active: 3 }), { columns: 120, rows: 10 }).map(({ text }) => text.trimEnd());
  assert.equal(lines.slice(4, 8), [
    "Host*    Gateway             State               Told  Dropped Counts And Errors",
    "attic    mqtt localhost:1883 waiting          0:00:05        3 devices 3; dropped: not understood 2, too many devices 1;",
    "attic    mdns                running, orphan  0:00:05        0 interfaces 1",
    "",
  ]);
});

test("large numbers are short, and a field for which there is no room is left out whole", () => {
  const busy = {
    perSecond: { appeared: 2564, modified: 99_960, disappeared: 999.4 },
    totals: { appeared: 17_306, modified: 999_700, disappeared: 999 },
    clients: 12,
  };
  const whole = "Changes/s: appeared 2.6k (17k)  modified 100k (1.0M)  disappeared 999 (999)";
  assert.is(texts(busy)[2], whole);
  assert.is(texts(busy, whole.length)[2], whole);
  assert.is(texts(busy, whole.length - 1)[2], "Changes/s: appeared 2.6k (17k)  modified 100k (1.0M)");
  assert.is(texts(busy, 20)[2], "Changes/s: appeared…");
  assert.is(texts(busy, 50)[1], "Services 4   orphans 3   subscriptions 2");
  assert.is(texts(busy, 38)[0], "tcp:example.com:4711   protocol 3");
  assert.is(texts({ address: "日".repeat(60) }, 80)[0], `${"日".repeat(39)}…`);
  const most = { appeared: 999_499, modified: 999_499, disappeared: 999_499 };
  assert.match(texts({ perSecond: most, totals: most })[2], /disappeared 999k \(999k\)$/);
});

test("numbers in four characters", () => {
  for (const [value, shown] of [
    [0, "0.0"],
    [0.04, "0.0"],
    [99.94, "99.9"],
    [99.95, "100"],
    [999.49, "999"],
    [999.5, "1.0k"],
    [9949, "9.9k"],
    [9951, "10k"],
    [999_499, "999k"],
    [999_500, "1.0M"],
    [2_147_483_648, "2.1G"],
    [8e12, "8.0T"],
    [1e18, "1000000T"],
  ] as const) {
    assert.is(compact(value), shown);
  }
  assert.equal([compact(0, 0), compact(99, 0), compact(1234, 0)], ["0", "99", "1.2k"]);
});

test("End and Home before the next picture, and arrows after them", () => {
  const { panes } = domain(...Array.from({ length: 30 }, (_, i) => state(BigInt(i), { n: i })));
  const [pane] = panes;
  const first = () => Number.parseInt(pane.draw(80, 11, NOW)[1].text.trim(), 16);
  assert.is(first(), 0);
  pane.scroll(Infinity);
  pane.scroll(-Infinity);
  assert.is(first(), 0);
  pane.scroll(-Infinity);
  pane.scroll(Infinity);
  pane.scroll(-1);
  assert.is(first(), 19);
});

test("subscriptions and clients", () => {
  assert.equal(texts({ active: 1 }).slice(3, 8), [
    " 1 Services [2 Subscriptions] 3 Clients  4 Gateways  by Subscription Id",
    "Subscription Id* Owner            Filter Expression",
    "               1 2                (名前=プリンタ*)",
    "7fffffffffffffff 7fffffffffffffff -",
    "",
  ]);
  assert.equal(texts({ active: 2 }).slice(4, 7), [
    "      Client Id*          Uptime  Idle [s]  Latency [ms]  Ver Remote Address",
    "               1         0:00:00         -           1.5    3 ux:00001",
    "7fffffffffffffff 2 days, 7:33:20       0.3             -    - tcp:[fe80:fe80:fe8",
  ]);
});

test("the foot says what is the matter", () => {
  const foot = (more: Partial<Picture>) => texts(more).at(-1);
  const lost = (retryInSeconds: number) => ({ link: { state: "lost", reason: "gone", retryInSeconds } as const });
  assert.is(foot(lost(1.2)), "connection lost, retrying in 2 s… gone");
  assert.is(foot(lost(-1)), "connection lost, retrying now… gone");
  assert.is(foot({ mode: "filter", typed: "a\nb" }), "/a\\nb_   Enter accepts, Esc shows all");
  assert.is(foot({ mode: "help" }), "any key: back to the table");
});

/** Presses of s, of r, and the order of the ids that follows. Rows without a value come last either way. */
const ORDERS: readonly (readonly [number, number, readonly bigint[]])[] = [
  [0, 0, [1n, 2n, 3n, MAX]],
  [0, 1, [MAX, 3n, 2n, 1n]],
  [1, 1, [MAX, 3n, 1n, 2n]],
  [3, 0, [2n, 1n, MAX, 3n]],
  [3, 1, [MAX, 1n, 2n, 3n]],
  [5, 0, [MAX, 1n, 3n, 2n]],
  [6, 0, [1n, 2n, 3n, MAX]],
];

test("sorting", () => {
  for (const [sorts, reverses, ids] of ORDERS) {
    const shown = picture();
    const [pane] = shown.panes as ReturnType<typeof makePanes>;
    for (let i = 0; i < sorts; i++) pane.sortByNext();
    for (let i = 0; i < reverses; i++) pane.reverse();
    const first = render(shown, { columns: 80, rows: 24 })
      .slice(5, 9)
      .map(({ text }) => BigInt(`0x${text.slice(0, 16).trim()}`));
    assert.equal(first, ids, `${sorts} s, ${reverses} r`);
  }
});

test("a change of the domain is in the next picture; scrolling stays within the rows", () => {
  const { services, panes } = domain(...Array.from({ length: 30 }, (_, i) => state(BigInt(i), { n: i })));
  const [pane] = panes;
  const first = () => Number.parseInt(pane.draw(80, 11, NOW)[1].text.trim(), 16);
  assert.is(first(), 0);
  pane.scroll(Infinity);
  assert.is(first(), 20);
  pane.scrollPages(-1);
  assert.is(first(), 10);
  pane.scroll(-Infinity);
  services.apply({ type: "disappeared", serviceId: 0n });
  assert.is(first(), 1);
  pane.filter = "'N': 2"; // 2, 20 … 29
  assert.is(pane.count, 11);
  assert.is(first(), 2);
});

test("on a narrow terminal all columns move, so that properties can be seen; no further than there is something", () => {
  const { panes } = domain(state(1n, { name: "a lamp" }), state(2n, {}));
  const [pane] = panes;
  const lines = () => pane.draw(40, 3, NOW).map(({ text }) => text.trimEnd());
  assert.equal(lines(), [
    "     Service Id*  Gen  TTL  Orphan Owner",
    "               1    0   30       - 2a",
    "               2    0   30       - 2a",
  ]);
  pane.scrollSideways(1);
  for (let i = 0; i < 100; i++) {
    pane.scrollSideways(1);
    lines();
  }
  pane.scrollSideways(-2);
  assert.equal(lines(), ["    Properties", "    {'name': 'a lamp'}", "    {}"]);
  for (let i = 0; i < 100; i++) {
    pane.scrollSideways(1);
    pane.draw(120, 3, NOW);
  }
  assert.is(pane.draw(120, 3, NOW)[1].text.trimEnd(), "               1    0   30       - 2a               '}");
});

test("where there is no alternate screen, the shell's prompt stands below the picture", () => {
  const shown = new TerminalEmulator(80, 24);
  const write = (text: string) => shown.write(text.replace(/\x1b\[\?1049[hl]/g, ""));
  const screen = new Screen(Object.assign(new Writable(), { columns: 80, rows: 24, write }), true);
  screen.open();
  const lines = render(picture(), { columns: 80, rows: 24 });
  screen.show(lines);
  screen.show([...lines.slice(0, 5), { text: "x".repeat(80), style: "plain" }, ...lines.slice(6)]);
  screen.close();
  shown.write("$ ");
  assert.equal([shown.lines[22], shown.lines[23], shown.wraps], ["", "$", true]);
  assert.match(shown.lines[0], /^tcp:example/);
});

test("after a reconnect what is not told again is gone, and orphans are counted anew", () => {
  const { services } = domain(...HOSTILE);
  services.beginSync();
  assert.ok(services.isSyncing);
  services.apply({ type: "appeared", service: state(1n, { name: "adopted" }) });
  services.apply({ type: "appeared", service: HOSTILE[3] });
  services.apply({ type: "disappeared", serviceId: 2n });
  services.apply({ type: "appeared", service: state(9n, {}) });
  assert.is(services.size, 4); // 3 and MAX are not yet given up
  services.endSync();
  assert.equal([...services.rows].map(({ service }) => service.id).sort(), [1n, 9n]);
  assert.is(services.orphans, 0);
});

test("only lines that differ are written, and the terminal then shows the picture", () => {
  const screen = new TerminalEmulator(80, 24);
  screen.write("\x1b[?7l");
  let before: readonly Line[] = [];
  for (const variant of [...VARIANTS, ...VARIANTS.slice().reverse()]) {
    const after = render(picture(variant), { columns: 80, rows: 24 });
    screen.write(difference(before, after));
    assert.equal(
      screen.lines,
      after.map(({ text }) => text.trimEnd()),
    );
    before = after;
  }
  assert.is(difference(before, render(picture(VARIANTS[0]), { columns: 80, rows: 24 })), "");
  const later = render(picture({ nowUnixSeconds: NOW + 1 }), { columns: 80, rows: 24 });
  assert.is(difference(before, later).split("\x1b[2K").length - 1, 2, "the orphans whose seconds go down");
});

test.run();
