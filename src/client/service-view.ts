/** The services that match a filter, as they are now: what an application would otherwise write itself around `subscribe`. */

import { checkFunction, checkOptions, checkSignal } from "./argument-checks.js";
import type { DomainMatch, MatchedService } from "./domain-match.js";
import { ignorable, PendingConditions } from "./pending-conditions.js";

/**
 * The services that match now, by id, kept up to date; each value is replaced when the service is changed. It begins
 * empty: servers tell what they have one by one, and do not say when they have told everything, so wait with `until`
 * for what you need. When it ends (`cancel`, its signal, the domain) it stays as it was last.
 */
export interface ServiceView extends ReadonlyMap<bigint, MatchedService> {
  /**
   * Resolves with this view once `condition` holds, which is asked now and after each change. Rejects with the signal's
   * reason, with what `condition` throws, or with a `WatchEndedError` when the view has ended.
   */
  until(condition: (services: this) => boolean, options?: { readonly signal?: AbortSignal }): Promise<this>;
  /** It is not kept up to date any more. Twice is harmless. */
  cancel(): void;
}

/** What was waited for can not come any more: the view has ended. */
export class WatchEndedError extends Error {
  override readonly name = "WatchEndedError";
  constructor() {
    super("the services are not watched any more");
  }
}

export class LiveServiceView implements ServiceView {
  private readonly services = new Map<bigint, MatchedService>();
  private readonly conditions = new PendingConditions();
  private ended = false;

  /** `onEnd` is called once, however it ends. */
  constructor(private readonly onEnd: () => void) {}

  /** News. */
  take(match: DomainMatch): void {
    if (this.ended) return;
    if (match.type === "disappeared") this.services.delete(match.serviceId);
    else this.services.set(match.serviceId, match);
    this.conditions.look();
  }

  until(condition: (services: this) => boolean, options?: { readonly signal?: AbortSignal }): Promise<this> {
    checkFunction("until(): condition", condition);
    const { signal } = checkOptions("until(): options", options);
    checkSignal("until(): signal", signal);
    let thrown: { readonly error: unknown } | undefined;
    const holds = () => {
      try {
        return condition(this);
      } catch (error) {
        thrown = { error };
        return true;
      }
    };
    if (this.ended && !holds()) return ignorable(Promise.reject(new WatchEndedError()));
    const met = this.conditions.until(() => thrown !== undefined || holds(), signal);
    return ignorable(
      met.then(() => {
        if (thrown) throw thrown.error;
        return this;
      }),
    );
  }

  cancel(): void {
    if (this.ended) return;
    this.ended = true;
    this.conditions.fail(new WatchEndedError());
    this.onEnd();
  }

  get size(): number {
    return this.services.size;
  }

  get(id: bigint): MatchedService | undefined {
    return this.services.get(id);
  }

  has(id: bigint): boolean {
    return this.services.has(id);
  }

  forEach(call: (service: MatchedService, id: bigint, view: ReadonlyMap<bigint, MatchedService>) => void): void {
    for (const [id, service] of this.services) call(service, id, this);
  }

  keys() {
    return this.services.keys();
  }

  values() {
    return this.services.values();
  }

  entries() {
    return this.services.entries();
  }

  [Symbol.iterator]() {
    return this.services[Symbol.iterator]();
  }
}
