/** The domains that gateways and hooks work in: those that this process serves, and remote ones. */

import { attachDirectory } from "../client/attach.js";
import type { ServerConfig } from "../client/index.js";
import type { Random } from "../core/clock.js";
import type { Directory } from "../core/directory-access.js";
import { LocalDirectory } from "../core/local-directory.js";
import { type Logger, prefixed } from "../core/log.js";
import type { Domain } from "../server/domain.js";
import { domainLine, remoteDomainLine } from "./state-summary.js";

/** One client's access to a domain. */
export interface DirectoryAccess extends Directory {
  /** Services that were published here, orphans included. */
  readonly serviceCount: number;
  /** False while no server can be asked. */
  readonly isReachable: boolean;
}

export interface GatewayDomain {
  readonly name: string | undefined;
  readonly log: Logger;
  /** Where it is served: the addresses really bound, or those of its servers. */
  readonly addresses: readonly string[];
  /** Access for one more client, which is of the user `user` where this process serves the domain. */
  open(user: string): DirectoryAccess;
  /** What a state summary says of it. */
  stateLine(): string;
  close(): void;
}

export function servedDomain(domain: Domain, random: Random): GatewayDomain {
  return {
    name: domain.name,
    log: domain.log,
    get addresses() {
      return domain.addresses;
    },
    open(user) {
      const directory = new LocalDirectory(domain.directory, user, random);
      return Object.assign(directory, { isReachable: true });
    },
    stateLine: () => domainLine(domain.state()),
    close: () => domain.close(),
  };
}

/** `domain`: its name, the address of its server, or its servers. Each client has connections of its own. */
export function remoteDomain(
  name: string | undefined,
  domain: string | readonly ServerConfig[],
  log: Logger,
): GatewayDomain {
  const opened: ReturnType<typeof attachDirectory>[] = [];
  const place = name ?? (typeof domain === "string" ? domain : undefined);
  const own = place === undefined ? log : prefixed(log, () => `${place}: `);
  const links = () => opened[0]?.links ?? [];
  return {
    name,
    log: own,
    get addresses() {
      return typeof domain === "string" ? links().map(({ address }) => address) : domain.map(({ address }) => address);
    },
    open() {
      // What one client's links meet, the others' do, too: one of them tells.
      const directory = attachDirectory(typeof domain === "string" ? domain : { servers: domain }, {
        log: opened.length === 0 ? own : { ...own, info: own.debug, warning: own.debug },
      });
      opened.push(directory);
      return directory;
    },
    stateLine: () => remoteDomainLine(links()),
    close() {
      for (const directory of opened) directory.close();
    },
  };
}
