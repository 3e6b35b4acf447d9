/** Seeded randomness (mulberry32): the same seed gives the same case on every machine. */
export class SeededRandom {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed ^ 0x5bd1_e995, 0x9e37_79b1) | 0;
  }

  /** Uniformly in [0, 1). */
  unit(): number {
    this.state = (this.state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** 0 … limit-1. */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** In a random order. */
  shuffled<T>(from: readonly T[]): T[] {
    const result = [...from];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }

  /** 0 … 2^bits-1 for a random number of bits, so that small and large values are equally likely. */
  bigint(maxBits: number): bigint {
    const bits = this.below(maxBits + 1);
    let value = 0n;
    for (let i = 0; i < bits; i++) value = (value << 1n) | BigInt(this.below(2));
    return value;
  }
}
