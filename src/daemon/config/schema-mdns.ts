/** The configuration of an mDNS gateway. See schema.ts for the keywords. */

import { Type } from "@sinclair/typebox";
import { checkMdns } from "./object-checks.js";
import { count, file, gatewayDomain, mapping, oneOf, text } from "./schema-parts.js";

const property = (name: string) => `\${${name}}`;

const template = (example: string, description: string) =>
  Type.Optional(
    text({
      what: `a text, maybe with ${property("PROPERTY")} in it`,
      accepted: "",
      examples: [example],
      description,
    }),
  );

/** The default stands in the example. */
const preset = (name: string, description: string) =>
  template(property(name), `${description} Default: ${property(name)}.`);

const publishRule = mapping(
  {
    filter: text({
      maxLength: 8192,
      what: "a filter",
      accepted: "like (name=*)",
      examples: ["(&(name=*)(port=*))"],
      description: "Which services. Those that come from this link, or tell a gateway's state, never are.",
    }),
    instance: preset("name", `Instance name. ${property("PROPERTY")} stands for the first value of a property.`),
    type: preset("mdns.type", "Service type, such as _http._tcp."),
    port: preset("port", "Port."),
    host: template(
      property("hostname"),
      "Host name, without .local. Default: d-ID.local if the service has addresses, or else this gateway's own.",
    ),
    addresses: preset("addr", "Addresses of that host; all values of the property."),
    subtypes: Type.Optional(
      Type.Array(text({ what: "a subtype", accepted: "like _printer" }), {
        maxItems: 16,
        what: "a list of subtypes",
        examples: [[property("mdns.sub")]],
        description: `Subtypes; all values of a property. Default: [${property("mdns.sub")}].`,
      }),
    ),
    txt: Type.Optional(
      Type.Record(Type.String({ pattern: "^[ -<>-~]{1,254}$" }), Type.String({ maxLength: 1024, what: "a text" }), {
        maxProperties: 64,
        what: "a mapping of TXT keys",
        accepted: 'printable ASCII without "="',
        examples: [{ path: "/", note: property("note") }],
        description: "TXT record. Default: from the properties txt.*, txtflag.*, txtb64.*.",
      }),
    ),
  },
  { description: "A service that lacks a property which is used here is not published." },
);

export const mdnsGateway = mapping(
  {
    type: Type.Literal("mdns"),
    domain: gatewayDomain,
    types: Type.Union(
      [
        oneOf<"all">(["all"], { what: 'a list of service types, or the word "all"', accepted: "" }),
        Type.Array(text({ what: "a DNS-SD service type", accepted: "like _ipp._tcp" }), {
          minItems: 1,
          maxItems: 1000,
          what: "a list of service types",
        }),
      ],
      {
        default: "all",
        what: 'a list of service types, or the word "all"',
        description: "DNS-SD service types to browse; all: every type announced on the link.",
      },
    ),
    interfaces: Type.Optional(
      Type.Array(Type.String({ pattern: "^[^\\s/]{1,15}$", what: "a network interface name", accepted: "like eth0" }), {
        minItems: 1,
        maxItems: 64,
        what: "a list of network interfaces",
        examples: [["eth0", "wlan0"]],
        description: "Interfaces to browse on. Default: every one that can do multicast, as they come and go.",
      }),
    ),
    scope: text({
      default: "local",
      maxLength: 64,
      description: "Names the link; gateways on the same link that share a scope give a service the same id.",
    }),
    max_instances: count("a number of instances", 1, 1_000_000, {
      default: 4096,
      description: "Most service instances kept; further ones are ignored with a warning.",
    }),
    publish: Type.Optional(
      Type.Array(publishRule, {
        minItems: 1,
        maxItems: 64,
        what: "a list of rules",
        description: "Services of the domain that are published by mDNS, for avahi-browse and everybody else.",
      }),
    ),
    gateway_name: Type.Optional(
      text({
        maxLength: 60,
        pattern: "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$",
        what: "a gateway name",
        accepted: "letters, digits and hyphens",
        examples: ["attic"],
        description:
          "Names this gateway: services without addresses of their own are on pf-NAME.local. Default: the machine's " +
          "host name.",
      }),
    ),
    max_published: count("a number of services", 1, 10_000, {
      default: 512,
      description: "Most services published; further ones wait for room, with a warning.",
    }),
    names_file: file(
      "/var/lib/pafd/names",
      'Keeps, over restarts, the names that were taken because the wanted one was in use: "Lamp (2)".',
    ),
  },
  { check: checkMdns, description: "What is announced on the link with mDNS: printers, speakers, ..." },
);
