/** What a link shows of an instance, and who asks for it. */

import type { Backoff } from "./backoff.js";
import type { Question } from "./questions.js";
import type { BrowseName, InstanceName } from "./service-names.js";

/** A complete instance as one interface shows it. */
export interface InstanceView extends InstanceName {
  readonly interfaceName: string;
  readonly subtypes: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  readonly txt: readonly Buffer[];
  readonly addresses: readonly string[];
}

/** A continuous PTR question. */
export interface Browse {
  readonly name: BrowseName | "meta";
  readonly question: Question;
  readonly backoff: Backoff<Asker>;
}

/** Who asks again and again: a continuous question, or an instance for what it lacks. */
export type Asker = Question | Instance;

export interface Instance {
  readonly name: InstanceName;
  /** Keys of the live PTR records that name it: its type's, and its subtypes'. */
  readonly pointers: Map<string, BrowseName>;
  /** Keys of the hosts that its SRV records name. */
  hosts: readonly string[];
  /** Asking for what is missing; absent while nothing is. */
  resolve: { readonly backoff: Backoff<Asker>; readonly asked: ReadonlySet<string> } | undefined;
  /** It has been complete, or at least asked for, once: an absent address family is not asked for again. */
  isResolved: boolean;
  /** Its TXT says that a gateway made it of a service that is in the directory already. */
  isMarked: boolean;
}
