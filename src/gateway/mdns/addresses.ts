/** What kind of address a host states, and which of a host's addresses others can use. */

import { isIPv6 } from "node:net";

/*
 * By the text, in the form in which Node and dns-packet write addresses (RFC 5952): asked for each address of each
 * packet, and net.BlockList takes 20 times as long (it makes an object of each address first).
 */

/** The first number of an IPv4 address, or the first group of an IPv6 address. */
function first(address: string): { readonly isV6: boolean; readonly number: number } {
  const isV6 = address.includes(":");
  return { isV6, number: Number.parseInt(address, isV6 ? 16 : 10) || 0 };
}

export function isLinkLocal(address: string): boolean {
  const { isV6, number } = first(address);
  return isV6 ? (number & 0xffc0) === 0xfe80 : address.startsWith("169.254.");
}

function isLoopback(address: string): boolean {
  const { isV6, number } = first(address);
  return isV6 ? address === "::1" : number === 127;
}

/** Unspecified, multicast, broadcast. */
function isNoHost(address: string): boolean {
  const { isV6, number } = first(address);
  return isV6 ? address === "::" || number >= 0xff00 : number === 0 || number >= 224;
}

/** An IPv4 address in IPv6 clothes. */
const isMapped = (address: string) => /^(::|(0:){5})ffff:/i.test(address);

/** Whether a host can have this address; a loopback address heard from another host would point to ourselves. */
export function isHostAddress(address: string, onLoopback: boolean): boolean {
  return !isNoHost(address) && !isMapped(address) && (onLoopback || !isLoopback(address));
}

/** The numbers between the dots of an IPv4 address, or the groups of an IPv6 address. */
function numbers(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = address.split("::").map(groups);
  return after ? [...before, ...Array(Math.max(0, 8 - before.length - after.length)).fill(0), ...after] : before;
}

/** Whether an address is in the subnet that this one is in. */
export function subnet(of: string, prefixLength: number): (address: string) => boolean {
  const own = numbers(of);
  const width = own.length === 4 ? 8 : 16;
  const masks = own.map((_, i) => {
    const bits = Math.min(width, Math.max(0, prefixLength - i * width));
    return (2 ** width - 1) & -(2 ** (width - bits));
  });
  return (address) => {
    const other = numbers(address);
    return other.length === own.length && own.every((number, i) => ((number ^ other[i]) & masks[i]) === 0);
  };
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
