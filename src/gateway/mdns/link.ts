/** The socket for one interface and address family: questions out, the records of acceptable responses in. */

import makeMdns from "multicast-dns";
import { type Logger, logStack } from "../../core/log.js";
import type { NetworkInterface } from "./interfaces.js";
import { dnsPacket } from "./name-codec.js";
import type { QueryMessage } from "./questions.js";
import { type DecodedMessage, type HeardRecord, heardRecords } from "./records.js";

export type Family = 4 | 6;

export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface LinkOptions {
  readonly family: Family;
  readonly interface: NetworkInterface;
  /** Asked for each packet: does its source belong to this link? */
  readonly isInScope: (source: string) => boolean;
  readonly onRecords: (records: readonly HeardRecord[], source: string) => void;
  /** The socket is of no use any more (interface gone, port refused): close it and open another one later. */
  readonly onBroken: (error: Error) => void;
  readonly log: Logger;
}

export interface Link {
  send(message: QueryMessage): void;
  close(): Promise<void>;
}

const MDNS_PORT = 5353;

/**
 * Bound to the group's address, not to a wildcard: beside another responder on this host (avahi) we would take its
 * unicast packets. For IPv6 that binds to the interface as well.
 */
function socketOptions({ family, interface: { name, addresses } }: LinkOptions): makeMdns.Options {
  if (family === 6) return { type: "udp6", ip: "ff02::fb", interface: `::%${name}`, bind: `ff02::fb%${name}` };
  const address = addresses.find((candidate) => candidate.family === 4)?.address;
  return { interface: address, bind: "224.0.0.251" };
}

export function openLink(options: LinkOptions): Link {
  const { log, isInScope, onRecords, onBroken } = options;
  const place = `mDNS on ${options.interface.name} (IPv${options.family})`;
  const mdns = makeMdns(socketOptions(options));
  let isClosed = false;
  const broken = (error: Error) => {
    if (!isClosed) onBroken(error);
  };
  mdns.on("response", (message, { address, port }) => {
    if (isClosed || port !== MDNS_PORT || !isInScope(address)) return;
    try {
      const records = heardRecords(message as DecodedMessage);
      if (records.length > 0) onRecords(records, address);
    } catch (error) {
      logStack(log, `${place}: a response from ${address} was not processed`, error);
    }
  });
  mdns.on("error", broken);
  mdns.on("warning", (error: NodeJS.ErrnoException) => {
    if (error.syscall !== undefined) broken(error);
    else log.debug(() => `${place}: a packet was not understood: ${error.message}`);
  });
  return {
    send({ questions, answers, truncated }) {
      const message = {
        flags: truncated ? dnsPacket.TRUNCATED_RESPONSE : 0,
        questions: questions.map(({ name, type }) => ({ name, type })),
        answers: answers.map(({ name, target, ttlSeconds }) => ({
          name,
          type: "PTR" as const,
          ttl: ttlSeconds,
          data: target,
        })),
      };
      mdns.query(message, (error) => {
        if (error) broken(error);
      });
    },
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      return new Promise((resolve) => mdns.destroy(resolve));
    },
  };
}
