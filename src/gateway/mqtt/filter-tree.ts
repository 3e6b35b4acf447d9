/**
 * Values by MQTT topic filter, found by the topics that the filters match (MQTT 4.7): `+` is one level, `#` is all that
 * follow and the level above; topics that begin with `$` match neither. What a look-up costs depends on the levels of
 * the topic, not on how many filters there are.
 */

interface Node<T> {
  /** By level, `+` and `#` included. */
  readonly next: Map<string, Node<T>>;
  value?: T;
}

export class FilterTree<T> {
  private readonly root: Node<T> = { next: new Map() };

  get(filter: string): T | undefined {
    let node: Node<T> | undefined = this.root;
    for (const level of filter.split("/")) node = node?.next.get(level);
    return node?.value;
  }

  set(filter: string, value: T): void {
    let node = this.root;
    for (const level of filter.split("/")) {
      let next = node.next.get(level);
      if (!next) node.next.set(level, (next = { next: new Map() }));
      node = next;
    }
    node.value = value;
  }

  delete(filter: string): void {
    const levels = filter.split("/");
    const path = [this.root];
    for (const level of levels) {
      const next = path[path.length - 1].next.get(level);
      if (!next) return;
      path.push(next);
    }
    delete path[path.length - 1].value;
    for (let at = levels.length; at > 0; at--) {
      if (path[at].value !== undefined || path[at].next.size > 0) return;
      path[at - 1].next.delete(levels[at - 1]);
    }
  }

  /** The values of all filters that match the topic, in no particular order. */
  matching(topic: string): T[] {
    const found: T[] = [];
    const take = (node: Node<T> | undefined) => {
      if (node?.value !== undefined) found.push(node.value);
    };
    let nodes = [this.root];
    let acceptsWildcards = !topic.startsWith("$");
    for (const level of topic.split("/")) {
      const following: Node<T>[] = [];
      for (const { next } of nodes) {
        const exact = level === "+" || level === "#" ? undefined : next.get(level);
        if (exact) following.push(exact);
        if (!acceptsWildcards) continue;
        const any = next.get("+");
        if (any) following.push(any);
        take(next.get("#"));
      }
      acceptsWildcards = true;
      nodes = following;
    }
    for (const node of nodes) {
      take(node);
      take(node.next.get("#"));
    }
    return found;
  }
}

/** Whether a topic matches one filter, both given by their levels. */
export function topicMatches(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0].startsWith("$") && filter[0] !== topic[0]) return false;
  for (const [at, level] of filter.entries()) {
    if (level === "#") return true;
    if (at >= topic.length || (level !== "+" && level !== topic[at])) return false;
  }
  return filter.length === topic.length;
}
