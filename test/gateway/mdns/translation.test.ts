/** What becomes of an instance in the directory: TXT pairs, addresses, names of types, the id, all properties. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { isHostAddress, usableAddresses } from "../../../src/gateway/mdns/addresses.js";
import type { InstanceView } from "../../../src/gateway/mdns/instance-view.js";
import { browseNameOf, instanceNameOf, parseBrowseName } from "../../../src/gateway/mdns/service-names.js";
import { serviceId, serviceProperties, txtProperties } from "../../../src/gateway/mdns/translation.js";

const TXT: readonly [what: string, strings: (string | Buffer)[], properties: Record<string, string | bigint>][] = [
  ["a pair", ["a=1"], { "txt.a": "1" }],
  ["an empty value", ["a="], { "txt.a": "" }],
  ["a key alone", ["a"], { "txtflag.a": 1n }],
  ["only the first = splits", ["a=b=c"], { "txt.a": "b=c" }],
  ["keys are lower-cased", ["Path=/X"], { "txt.path": "/X" }],
  ["the first of equal keys counts", ["a=1", "A=2", "a"], { "txt.a": "1" }],
  ["a key alone counts as first, too", ["a", "a=2"], { "txtflag.a": 1n }],
  ["no key, empty string", ["=x", "", "="], {}],
  ["a key with a space", ["a b=1"], { "txt.a b": "1" }],
  ["a key that is not printable ASCII", ["ä=1", "a\x01=1", "\x7f=1"], {}],
  ["UTF-8 values", ["note=Küche ☕"], { "txt.note": "Küche ☕" }],
  ["a byte order mark stays", ["a=\ufeffx"], { "txt.a": "\ufeffx" }],
  ["other bytes", [Buffer.from("a=\xff\xfe", "latin1")], { "txtb64.a": "//4=" }],
  ["no strings", [], {}],
  ["at most 128 strings", Array.from({ length: 200 }, (_, i) => (i < 127 ? "" : `k${i}=`)), { "txt.k127": "" }],
  ["at most 4096 bytes", [...Array<string>(15).fill(`=${"x".repeat(254)}`), "a=1", "b".repeat(255)], { "txt.a": "1" }],
];
for (const [what, strings, properties] of TXT) {
  test(`TXT: ${what}`, () => {
    assert.equal(Object.fromEntries(txtProperties(strings.map((string) => Buffer.from(string as string)))), properties);
  });
}

const ADDRESSES: readonly [what: string, heard: [string, string][], usable: string[]][] = [
  [
    "sorted, each once",
    [
      ["10.0.0.2", "eth0"],
      ["10.0.0.1", "eth1"],
      ["10.0.0.2", "eth1"],
    ],
    ["10.0.0.1", "10.0.0.2"],
  ],
  [
    "no link-local beside others",
    [
      ["fe80::1", "eth0"],
      ["169.254.1.1", "eth0"],
      ["fd00::1", "eth0"],
    ],
    ["fd00::1"],
  ],
  [
    "link-local with its interface",
    [
      ["fe80::1", "eth0"],
      ["fe80::1", "wlan0"],
    ],
    ["fe80::1%eth0", "fe80::1%wlan0"],
  ],
  ["IPv4 link-local", [["169.254.1.1", "eth0"]], ["169.254.1.1"]],
];
for (const [what, heard, usable] of ADDRESSES) {
  test(`addresses: ${what}`, () => {
    assert.equal(usableAddresses(heard.map(([address, interfaceName]) => ({ address, interfaceName }))), usable);
  });
}

test("addresses that no other host can have are not taken", () => {
  for (const address of ["10.0.0.1", "8.8.8.8", "169.254.3.4", "fe80::1", "2001:db8::1"]) {
    assert.ok(isHostAddress(address, false), address);
  }
  for (const address of ["0.0.0.0", "0.1.2.3", "224.0.0.251", "255.255.255.255", "::", "ff02::fb", "::ffff:10.0.0.1"]) {
    assert.not.ok(isHostAddress(address, true), address);
  }
  for (const address of ["127.0.0.1", "127.1.2.3", "::1"]) {
    assert.not.ok(isHostAddress(address, false), address);
    assert.ok(isHostAddress(address, true), address);
  }
});

const BROWSE: readonly [text: string, name: string, type: string, subtype: string | undefined][] = [
  ["_http._tcp", "_http._tcp.local", "_http._tcp", undefined],
  ["_http._tcp.local.", "_http._tcp.local", "_http._tcp", undefined],
  ["_coap._udp", "_coap._udp.local", "_coap._udp", undefined],
  ["_lamp._sub._m._tcp", "_lamp._sub._m._tcp.local", "_m._tcp", "_lamp"],
];
for (const [text, name, type, subtype] of BROWSE) {
  test(`${text} can be browsed`, () => assert.equal(parseBrowseName(text), { name, type, subtype }));
}
for (const text of [
  "http._tcp",
  "_http",
  "_http._sctp",
  "_a._b._http._tcp",
  "_http._tcp.example",
  "_dns-sd._udp",
  "Lamp._http._tcp",
]) {
  test(`${text} is not a service type`, () => assert.throws(() => parseBrowseName(text), /is not a service type/));
}

test("an instance is one label before its type in local", () => {
  assert.equal(instanceNameOf("v1\\.0._x._TCP.local"), {
    name: "v1\\.0._x._TCP.local",
    label: "v1\\.0",
    type: "_x._TCP",
  });
  for (const name of ["_x._tcp.local", "a.b._x._tcp.local", "a._x._tcp.example", "a._x._tcp", "a.local", "."]) {
    assert.is(instanceNameOf(name), undefined, name);
  }
  assert.is(browseNameOf("."), undefined);
});

test("an id is the first 63 bits of a hash, the same for ever", () => {
  // printf 'local\0lamp._mqttdev._tcp.local' | sha256sum
  assert.is(serviceId("local", "lamp._mqttdev._tcp.local"), 0x269d5fc4b96a2b12n);
  assert.is.not(serviceId("other", "lamp._mqttdev._tcp.local"), 0x269d5fc4b96a2b12n);
  for (let i = 0; i < 1000; i++) {
    const id = serviceId("local", `${i}`);
    assert.ok(id > 0n && id < 1n << 63n);
  }
});

const VIEW: InstanceView = {
  name: "v1\\.0 Küche._m._tcp.local",
  label: "v1\\.0 Küche",
  type: "_m._tcp",
  interfaceName: "wlan0",
  subtypes: ["_lamp"],
  host: "a.local",
  port: 80,
  priority: 1,
  weight: 2,
  txt: [Buffer.from("v=1")],
  addresses: ["10.0.0.9"],
};

test("a service carries the documented properties", () => {
  const views: [InstanceView, InstanceView] = [
    VIEW,
    { ...VIEW, interfaceName: "eth0", subtypes: ["_lamp", "_dim"], addresses: ["fd00::1", "fe80::1"] },
  ];
  assert.equal(Object.fromEntries(serviceProperties("home", views)), {
    name: ["v1.0 Küche"],
    "mdns.type": ["_m._tcp"],
    "mdns.sub": ["_dim", "_lamp"],
    "mdns.host": ["a.local"],
    "mdns.interface": ["eth0", "wlan0"],
    port: [80n],
    priority: [1n],
    weight: [2n],
    addr: ["10.0.0.9", "fd00::1"],
    "txt.v": ["1"],
    src: ["mdns:home"],
  });
});

for (const [txt, macs] of [
  [["mac=A0B1C2D3E4F5"], ["a0b1c2d3e4f5"]], // ESPHome, lower case there
  [["deviceid=A0:B1:C2:D3:E4:F5"], ["a0b1c2d3e4f5"]], // AirPlay
  [["macaddress=A0B1C2D3E4F5", "MAC=a0-b1-c2-d3-e4-f5"], ["a0b1c2d3e4f5"]],
  [["mac_address=a2:00:00:00:00:02|00:11:32:00:00:01"], ["001132000001", "a20000000002"]], // Synology
  [["mac=lamp", "deviceid=A0:B1:C2", "mac_address"], undefined],
  [["id=A0:B1:C2:D3:E4:F5"], undefined], // HomeKit's is drawn anew with each pairing
] as const) {
  test(`hardware address: ${txt.join()}`, () => {
    const view: InstanceView = { ...VIEW, txt: txt.map((string) => Buffer.from(string)) };
    assert.equal(serviceProperties("home", [view]).get("mac"), macs);
  });
}

test("a service without subtypes has no mdns.sub", () => {
  assert.not.ok(serviceProperties("home", [{ ...VIEW, subtypes: [] }]).has("mdns.sub"));
});

test.run();
