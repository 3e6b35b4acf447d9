/** MQTT topic filters as texts. */

import { topicMatches } from "../router.js";

export function matchesFilter(filter: string, topic: string): boolean {
  return filter === topic || topicMatches(filter.split("/"), topic.split("/"));
}
