/** A binary heap of things that know their place in it, so that each can be moved or taken out in logarithmic time. */

export interface HeapItem {
  /** Position in the heap; -1 while it is in none. Only the heap changes it. */
  heapIndex: number;
}

export class Heap<Item extends HeapItem> {
  private readonly items: Item[] = [];

  /** `before`: whether `a` comes out before `b`. What it depends on may change only if `put` is called after it. */
  constructor(private readonly before: (a: Item, b: Item) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  get first(): Item | undefined {
    return this.items[0];
  }

  /** In no particular order. */
  values(): readonly Item[] {
    return this.items;
  }

  /** Adds the item; or moves it to its place, if it is in the heap already. */
  put(item: Item): void {
    if (item.heapIndex < 0) this.place(item, this.items.length);
    this.up(item);
    this.down(item);
  }

  /** Harmless if it is not in the heap. */
  remove(item: Item): void {
    const { heapIndex } = item;
    if (heapIndex < 0) return;
    item.heapIndex = -1;
    const last = this.items.pop()!;
    if (last === item) return;
    this.place(last, heapIndex);
    this.up(last);
    this.down(last);
  }

  private place(item: Item, index: number): void {
    this.items[index] = item;
    item.heapIndex = index;
  }

  private up(item: Item): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.before(item, this.items[parent])) break;
      this.place(this.items[parent], index);
      index = parent;
    }
    this.place(item, index);
  }

  private down(item: Item): void {
    let index = item.heapIndex;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.items.length) break;
      if (child + 1 < this.items.length && this.before(this.items[child + 1], this.items[child])) child++;
      if (!this.before(this.items[child], item)) break;
      this.place(this.items[child], index);
      index = child;
    }
    this.place(item, index);
  }
}
