/** The outbound half of the mDNS gateway: what the rules choose from the directory is published on every link. */

import type { Logger } from "../../../core/log.js";
import type { Dropped } from "../../dropped.js";
import type { GatewayContext } from "../../gateway.js";
import { hostLabel } from "./labels.js";
import { NamesFile } from "./names-file.js";
import type { PublishRule } from "./publish-rule.js";
import { Publisher, type PublisherLink } from "./publisher.js";
import { RememberedNames } from "./remembered-names.js";
import type { Responder } from "./responder.js";
import { Selection } from "./selection.js";

export interface OutboundOptions {
  readonly rules: readonly PublishRule[];
  readonly scope: string;
  readonly gatewayName: string;
  readonly maxPublished: number;
  readonly namesFile?: string | undefined;
  readonly isOwnAddress: (address: string) => boolean;
}

export class Outbound {
  private readonly publisher: Publisher;
  private readonly selection: Selection;
  private readonly namesFile: NamesFile | undefined;

  constructor(
    options: OutboundOptions,
    { directory, clock, timers, random }: GatewayContext,
    log: Logger,
    dropped: Dropped,
  ) {
    const { rules, scope, gatewayName, maxPublished, namesFile, isOwnAddress } = options;
    const names = new RememberedNames();
    if (namesFile !== undefined) this.namesFile = new NamesFile(namesFile, names, timers, log);
    this.publisher = new Publisher({
      clock,
      timers,
      random,
      log,
      names,
      hostLabel: hostLabel(`pf-${gatewayName}`),
      isOwnAddress,
    });
    this.selection = new Selection({
      rules,
      marks: { scope, gateway: gatewayName },
      directory,
      clock,
      timers,
      log,
      dropped,
      limit: maxPublished,
      publisher: this.publisher,
    });
  }

  start(): void {
    this.selection.start();
  }

  add(link: PublisherLink): Responder {
    return this.publisher.add(link);
  }

  remove(responder: Responder): void {
    this.publisher.remove(responder);
  }

  /** Says goodbye on all links; they may be closed afterwards. */
  async stop(): Promise<void> {
    this.selection.stop();
    this.namesFile?.stop();
    await this.publisher.stop();
  }

  get counts(): Readonly<Record<string, number>> {
    return { ...this.publisher.counts, waitingForRoom: this.selection.waitingForRoom };
  }
}
