/** The network interfaces of this machine that are up, and which source addresses belong to each one's link. */

import { existsSync, readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { isLinkLocal, subnet } from "./addresses.js";

export interface InterfaceAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
}

export interface NetworkInterface {
  readonly name: string;
  /** The kernel's number; another one means that the interface was deleted and created anew. 0: unknown. */
  readonly index: number;
  readonly isLoopback: boolean;
  /** It is a port of a bridge, which is the interface that hears and speaks on the link. */
  readonly isBridgePort?: true;
  /** How often the link went up or down, if the system tells: another number means that it was away between two looks. */
  readonly carrierChanges?: number;
  readonly addresses: readonly InterfaceAddress[];
}

/** All interfaces that are up and have an address, loopback included. */
export function listInterfaces(): NetworkInterface[] {
  const indexes = multicastIndexes();
  const found = new Map<string, NetworkInterface & { addresses: InterfaceAddress[] }>();
  for (const [label, entries] of Object.entries(networkInterfaces())) {
    const name = label.replace(/:.*/, ""); // eth0:1 is a second address of eth0
    for (const entry of entries ?? []) {
      const known = found.get(name);
      const scope = "scopeid" in entry ? (entry.scopeid ?? 0) : 0;
      const index = known?.index || scope || (indexes.get(name) ?? 0);
      const address: InterfaceAddress = {
        family: isIPv6(entry.address) ? 6 : 4,
        address: entry.address,
        prefixLength: Number(entry.cidr?.split("/")[1] ?? (isIPv6(entry.address) ? 128 : 32)),
      };
      found.set(name, {
        name,
        index,
        isLoopback: entry.internal,
        ...(known?.isBridgePort || (!known && isBridgePort(name)) ? { isBridgePort: true } : {}),
        ...(known ? carrier(known.carrierChanges) : carrier(readCarrierChanges(name))),
        addresses: [...(known?.addresses ?? []), address],
      });
    }
  }
  return [...found.values()];
}

const isBridgePort = (name: string): boolean => existsSync(`/sys/class/net/${name}/brport`);

const carrier = (carrierChanges: number | undefined) => (carrierChanges === undefined ? {} : { carrierChanges });

function readCarrierChanges(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/carrier_changes`, "latin1"));
  } catch {
    return undefined; // no sysfs: a link that was away for less than the time between two looks goes unnoticed
  }
}

/** Node tells the number of an interface only with its link-local IPv6 address; Linux tells it here, too. */
function multicastIndexes(): Map<string, number> {
  let table: string;
  try {
    table = readFileSync("/proc/net/igmp", "latin1");
  } catch {
    return new Map(); // no procfs: a re-created interface is noticed by its addresses, or when sending fails
  }
  return new Map([...table.matchAll(/^(\d+)\s+([^\s:]+)\s*:/gm)].map(([, index, name]) => [name, Number(index)]));
}

/**
 * Whether a packet from this source came over the interface, as far as can be told: Node shows neither the arriving TTL
 * nor the interface, and each IPv4 socket gets the multicast of all. Link-local IPv4 is accepted on every interface.
 */
export function linkScope(of: NetworkInterface): (source: string) => boolean {
  const subnets = of.addresses.map(({ address, prefixLength }) => subnet(address, prefixLength));
  return (source) => {
    const [address, zone] = source.split("%");
    if (isLinkLocal(address)) return zone === undefined || zone === of.name || zone === String(of.index);
    return subnets.some((has) => has(address));
  };
}

/**
 * Addresses of another interface in a subnet that both are in: then both seem to be on one link (by IPv4, either socket
 * hears what comes in on any), and each has to show the addresses of both. If each showed its own, one would flush those
 * of the other from everybody's cache (RFC 6762, 10.2).
 */
export function addressesBeside(of: NetworkInterface, other: NetworkInterface): string[] {
  const isShared = ({ address, prefixLength }: InterfaceAddress) =>
    !isLinkLocal(address) &&
    of.addresses.some((own) => own.prefixLength === prefixLength && subnet(own.address, prefixLength)(address));
  return other.addresses.filter(isShared).map(({ address }) => address);
}
