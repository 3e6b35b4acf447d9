/**
 * A hash table keyed by 63-bit ids in two halves. HOT: one look-up per message; neither a key object nor a string is
 * made. Open addressing with linear probing and backward-shift deletion, so there are no tombstones to clean up.
 * `seed` is random per process: peers choose ids, and must not be able to choose their slots.
 */

const SMALLEST = 16;

export class IdTable<V> {
  private his: Int32Array;
  private los: Int32Array;
  private values: (V | undefined)[];
  private mask: number;
  private count = 0;

  constructor(private readonly seed: number) {
    this.his = new Int32Array(SMALLEST);
    this.los = new Int32Array(SMALLEST);
    this.values = new Array(SMALLEST).fill(undefined);
    this.mask = SMALLEST - 1;
  }

  get size(): number {
    return this.count;
  }

  get(hi: number, lo: number): V | undefined {
    return this.values[this.slotOf(hi, lo)];
  }

  set(hi: number, lo: number, value: V): void {
    let slot = this.slotOf(hi, lo);
    if (this.values[slot] === undefined) {
      if ((this.count + 1) * 2 > this.mask + 1) {
        this.resize((this.mask + 1) * 2);
        slot = this.slotOf(hi, lo);
      }
      this.his[slot] = hi;
      this.los[slot] = lo;
      this.count++;
    }
    this.values[slot] = value;
  }

  delete(hi: number, lo: number): boolean {
    let hole = this.slotOf(hi, lo);
    if (this.values[hole] === undefined) return false;
    this.count--;
    for (let next = (hole + 1) & this.mask; this.values[next] !== undefined; next = (next + 1) & this.mask) {
      const home = this.hash(this.his[next], this.los[next]);
      // Move `next` into the hole unless its home lies (cyclically) behind the hole.
      if (((next - home) & this.mask) >= ((next - hole) & this.mask)) {
        this.his[hole] = this.his[next];
        this.los[hole] = this.los[next];
        this.values[hole] = this.values[next];
        hole = next;
      }
    }
    this.values[hole] = undefined;
    if (this.mask + 1 > SMALLEST && this.count * 8 < this.mask + 1) this.resize((this.mask + 1) / 2);
    return true;
  }

  /** Every value, in no particular order. The table must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<V> {
    for (const value of this.values) if (value !== undefined) yield value;
  }

  /**
   * One half is scattered before the other is added. Were both only multiplied and combined, ids that differ in the
   * highest bits of both halves would share few hashes, whatever the seed.
   */
  private hash(hi: number, lo: number): number {
    let h = Math.imul(lo ^ this.seed, 0x9e37_79b1);
    h = Math.imul(h ^ (h >>> 15), 0x85eb_ca6b);
    h = Math.imul((h ^ (h >>> 13)) + hi, 0x2c1b_3c6d);
    h = Math.imul(h ^ (h >>> 15), 0x297a_2d39);
    return (h ^ (h >>> 16)) & this.mask;
  }

  private slotOf(hi: number, lo: number): number {
    let slot = this.hash(hi, lo);
    while (this.values[slot] !== undefined && (this.los[slot] !== lo || this.his[slot] !== hi)) {
      slot = (slot + 1) & this.mask;
    }
    return slot;
  }

  private resize(capacity: number): void {
    const { his, los, values } = this;
    this.his = new Int32Array(capacity);
    this.los = new Int32Array(capacity);
    this.values = new Array(capacity).fill(undefined);
    this.mask = capacity - 1;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === undefined) continue;
      const slot = this.slotOf(his[i], los[i]);
      this.his[slot] = his[i];
      this.los[slot] = los[i];
      this.values[slot] = values[i];
    }
  }
}
