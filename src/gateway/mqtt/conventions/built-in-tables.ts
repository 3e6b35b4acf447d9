/** The mapping tables that are built in; the administrator's own have the same form (docs/conventions/mappings.md). */

import type { MappingTable } from "./mapping-table.js";

const TASMOTA: readonly MappingTable[] = [
  {
    name: "tasmota",
    announce: "tasmota/discovery/{device}/config",
    properties: {
      mac: "{/mac|device}",
      name: "{/dn|/hn|device}",
      kind: { value: "{/rl}", map: { 1: "switch", 2: "light", 3: "cover" } },
      model: "{/md}",
      sw: "{/sw}",
      addr: "{/ip}",
      host: "{/hn}",
      url: "http://{/ip}/",
      cap: { value: "{/rl}", map: { 1: "relay", 2: "light", 3: "shutter" } },
      "mqtt.base": "{/t}",
    },
    presence: {
      topic: "{/ft}/LWT",
      // as Tasmota makes its topics: with a slash in between, whether "ft" ends in one or not
      replace: {
        ...{ "%prefix%": "{/tp/2}", "%topic%": "{/t}", "%hostname%": "{/hn}", "%id%": "{device}" },
        ...{ "#": "", "//": "/" },
      },
      up: "{/onln}",
      down: "{/ofln}",
    },
    asleep: "{/dslp}",
  },
  {
    name: "tasmota",
    announce: "tasmota/discovery/{device}/sensors",
    properties: {
      mac: "{device}",
      // names of sensors, and what else stands beside them
      cap: { value: "{/sn}", without: ["Time", "Epoch", "Uptime", "TempUnit", "PressureUnit", "SpeedUnit"] },
    },
  },
];

const ESPHOME: readonly MappingTable[] = [
  {
    name: "esphome",
    announce: "esphome/discover/{node}",
    properties: {
      mac: "{/mac}",
      name: "{/friendly_name|/name|node}",
      model: "{/board}",
      platform: "{/platform}",
      sw: "{/version}",
      addr: "{/ip}",
      port: "{/port}",
      project: "{/project_name}",
      "mqtt.base": "{/name|node}",
    },
    presence: { topic: "{/name|node}/status" },
    ask: { topic: "esphome/discover", payload: "" },
  },
];

/** The source that we name in requests to Shelly; answers come to this topic with `/rpc` behind it. */
const ASKER = "pathfinder-edge";

const SHELLY_2_ONLINE = { up: "true", down: "false" };

const shelly2Request = (id: number, method: string) => JSON.stringify({ id, src: ASKER, method });

/** Addresses come with Wi-Fi, with Ethernet, or with both; without any a message is about something else. */
const shelly2Addresses = (announce: string, mac: string, status: string, online: string): MappingTable[] =>
  ["wifi/sta_ip", "eth/ip"].map((place) => ({
    name: "shelly",
    announce,
    kept: false,
    needs: [`${status}/${place}`],
    properties: { mac, addr: `{${status}/${place}}`, url: `http://{${status}/${place}}/` },
    presence: { topic: online, ...SHELLY_2_ONLINE },
  }));

const SHELLY: readonly MappingTable[] = [
  {
    name: "shelly",
    announce: "shellies/announce",
    kept: false,
    properties: {
      mac: "{/mac}",
      name: "{/id}",
      manufacturer: "Shelly",
      model: "{/model}",
      sw: "{/fw_ver}",
      addr: "{/ip}",
      url: "http://{/ip}/",
      "mqtt.base": "shellies/{/id}",
    },
    presence: { topic: "shellies/{/id}/online", up: "true", down: "false" },
    ask: { topic: "shellies/command", payload: "announce" },
  },
  {
    // what is known of one that has not announced itself since we listen
    name: "shelly",
    announce: "shellies/{id}/online",
    format: "text",
    properties: { name: "{id}", manufacturer: "Shelly", "mqtt.base": "shellies/{id}" },
    presence: { topic: "shellies/{id}/online", up: "true", down: "false" },
  },
  {
    // second generation and later, asked: what it says of itself counts more than what its topic says
    name: "shelly",
    announce: `${ASKER}/rpc`,
    kept: false,
    needs: ["/result/gen", "/result/id"],
    properties: {
      mac: "{/result/mac}",
      name: "{/result/name|/result/id}",
      manufacturer: "Shelly",
      model: "{/result/model}",
      sw: "{/result/ver}",
      "mqtt.base": "{/result/id}",
    },
    presence: { topic: "{/result/id}/online", ...SHELLY_2_ONLINE },
  },
  ...shelly2Addresses(`${ASKER}/rpc`, "{/result/sys/mac}", "/result", "{/src}/online"),
  {
    // the topic is the device's id unless configured otherwise
    name: "shelly",
    announce: "shelly{model}-{mac}/online",
    format: "text",
    properties: {
      mac: "{mac}",
      name: "shelly{model}-{mac}",
      manufacturer: "Shelly",
      model: "{model}",
      "mqtt.base": "shelly{model}-{mac}",
    },
    presence: { topic: "shelly{model}-{mac}/online", ...SHELLY_2_ONLINE },
    askEach: {
      topic: "shelly{model}-{mac}/rpc",
      payloads: [shelly2Request(1, "Shelly.GetDeviceInfo"), shelly2Request(2, "Shelly.GetStatus")],
    },
  },
  ...shelly2Addresses("shelly{model}-{mac}/events/rpc", "{mac}", "/params", "shelly{model}-{mac}/online"),
];

export const BUILT_IN_TABLES = { tasmota: TASMOTA, esphome: ESPHOME, shelly: SHELLY } as const;
