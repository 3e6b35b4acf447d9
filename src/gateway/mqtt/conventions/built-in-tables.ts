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
      topic: "{/ft}LWT",
      replace: { "%prefix%": "{/tp/2}", "%topic%": "{/t}", "%hostname%": "{/hn}", "%id%": "{device}" },
      up: "{/onln}",
      down: "{/ofln}",
    },
    asleep: "{/dslp}",
  },
  {
    name: "tasmota",
    announce: "tasmota/discovery/{device}/sensors",
    properties: { mac: "{device}", cap: "{/sn}" },
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
    // second generation and later: the topic is the device's id unless configured otherwise
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
    presence: { topic: "shelly{model}-{mac}/online", up: "true", down: "false" },
  },
  {
    name: "shelly",
    announce: "shelly{model}-{mac}/events/rpc",
    kept: false,
    needs: ["/params/wifi/sta_ip"],
    properties: { mac: "{mac}", addr: "{/params/wifi/sta_ip}", url: "http://{/params/wifi/sta_ip}/" },
    presence: { topic: "shelly{model}-{mac}/online", up: "true", down: "false" },
  },
];

export const BUILT_IN_TABLES = { tasmota: TASMOTA, esphome: ESPHOME, shelly: SHELLY } as const;
