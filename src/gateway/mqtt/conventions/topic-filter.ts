/** MQTT topic filters as texts. */

import { topicMatches } from "../filter-tree.js";

export function matchesFilter(filter: string, topic: string): boolean {
  return filter === topic || topicMatches(filter.split("/"), topic.split("/"));
}
