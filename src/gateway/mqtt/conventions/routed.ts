/** Puts the conventions on the router of a gateway. */

import type { Received } from "../mqtt-client.js";
import type { Router, TopicHandler } from "../router.js";
import type { Convention } from "./convention.js";
import { type Conventions, type ConventionsContext, type ConventionsOptions, conventions } from "./conventions.js";

/** Throws a `MappingError` if a mapping cannot be used. The result's `stop` is called by the router. */
export function routedConventions(
  options: ConventionsOptions,
  router: Router,
  context: Omit<ConventionsContext, "onFiltersChanged" | "isSubscribing"> & {
    /** Whether a gateway wrote this out of a directory: it is not to be taken in again. */
    readonly isOurs: (topic: string, payload: Uint8Array) => boolean;
  },
): Conventions {
  const handlers = new Map<Convention, TopicHandler>();
  const made = conventions(options, {
    ...context,
    isSubscribing: () => router.isSubscribing,
    onFiltersChanged(convention, added, removed) {
      const handler = handlers.get(convention);
      if (!handler) return;
      // first the new ones: a topic that both match is heard all the time
      for (const filter of added) router.listen(handler, filter);
      for (const filter of removed) router.leave(handler, filter);
    },
  });
  for (const convention of made.all) {
    const handler: TopicHandler = {
      name: convention.name,
      get filters() {
        return convention.filters;
      },
      heard(topic: string, payload: Uint8Array, retained: boolean, { userProperties }: Received) {
        if (Object.hasOwn(userProperties, "sdid") || context.isOurs(topic, payload))
          context.dropped.add("own announcement");
        else convention.heard(topic, payload, retained);
      },
      brokerBack: () => convention.brokerBack(),
      brokerLost: () => convention.brokerLost(),
      stop: () => convention.stop(),
    };
    handlers.set(convention, handler);
    router.add(handler);
  }
  return made;
}
