/** What kind of address a host states, and which of a host's addresses others can use. */

import { BlockList, isIPv6 } from "node:net";

const family = (address: string) => (isIPv6(address) ? "ipv6" : "ipv4");

function ranges(...list: readonly (readonly [string, number])[]): (address: string) => boolean {
  const blocks = new BlockList();
  for (const [network, prefix] of list) blocks.addSubnet(network, prefix, family(network));
  return (address) => blocks.check(address, family(address));
}

export const isLinkLocal = ranges(["169.254.0.0", 16], ["fe80::", 10]);
const isLoopback = ranges(["127.0.0.0", 8], ["::1", 128]);
/** Unspecified, multicast, broadcast. */
const isNoHost = ranges(["0.0.0.0", 8], ["224.0.0.0", 3], ["::", 128], ["ff00::", 8]);
/** An IPv4 address in IPv6 clothes; by its text, since `BlockList` takes plain IPv4 addresses for such ones, too. */
const isMapped = (address: string) => /^(::|(0:){5})ffff:/i.test(address);

/** Whether a host can have this address; a loopback address heard from another host would point to ourselves. */
export function isHostAddress(address: string, onLoopback: boolean): boolean {
  return !isNoHost(address) && !isMapped(address) && (onLoopback || !isLoopback(address));
}

export interface HeardAddress {
  readonly address: string;
  readonly interfaceName: string;
}

/**
 * The addresses for the directory, sorted and each once. Link-local ones only if there is no other: they mean nothing on
 * other links. For the same reason `fe80::…` carries its interface (`fe80::1%eth0`); it is of use on this machine only.
 */
export function usableAddresses(heard: readonly HeardAddress[]): string[] {
  const wide = heard.filter(({ address }) => !isLinkLocal(address));
  const texts = (wide.length > 0 ? wide : heard).map(({ address, interfaceName }) =>
    isIPv6(address) && isLinkLocal(address) ? `${address}%${interfaceName}` : address,
  );
  return [...new Set(texts)].sort();
}
