/** A queue with one entry per key: an entry can be found, replaced in its place, and taken out of the middle. */

interface Node<K, V> {
  readonly key: K;
  value: V;
  before: Node<K, V> | undefined;
  after: Node<K, V> | undefined;
}

/** Every operation takes constant time. (A `Map` alone walks over what was deleted to find its first entry.) */
export class KeyedQueue<K, V> {
  private readonly nodes = new Map<K, Node<K, V>>();
  private first: Node<K, V> | undefined;
  private last: Node<K, V> | undefined;

  get size(): number {
    return this.nodes.size;
  }

  get(key: K): V | undefined {
    return this.nodes.get(key)?.value;
  }

  /** Appends the entry, or replaces its value where it stands. */
  set(key: K, value: V): void {
    const known = this.nodes.get(key);
    if (known) {
      known.value = value;
      return;
    }
    const node: Node<K, V> = { key, value, before: this.last, after: undefined };
    if (this.last) this.last.after = node;
    else this.first = node;
    this.last = node;
    this.nodes.set(key, node);
  }

  delete(key: K): void {
    const node = this.nodes.get(key);
    if (!node) return;
    this.nodes.delete(key);
    if (node.before) node.before.after = node.after;
    else this.first = node.after;
    if (node.after) node.after.before = node.before;
    else this.last = node.before;
  }

  /** Takes the first value out; `undefined` if there is none. */
  shift(): V | undefined {
    const { first } = this;
    if (first) this.delete(first.key);
    return first?.value;
  }

  clear(): void {
    this.nodes.clear();
    this.first = undefined;
    this.last = undefined;
  }
}
