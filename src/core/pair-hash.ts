/**
 * The hash of property names and of (name, value) pairs: HalfSipHash-1-3, keyed at random per process, because peers
 * choose the texts and must not be able to make them collide. HOT: once per name and once per value of a publish.
 *
 * `name()` leaves the state after the name behind, from which `value()` goes on; so the name is absorbed once however
 * many values it has. Results are 30 bits, which every V8 keeps as a small integer, also on 32-bit ARM.
 */
export class PairHash {
  private n0 = 0;
  private n1 = 0;
  private n2 = 0;
  private n3 = 0;

  constructor(
    private readonly key0: number,
    private readonly key1: number,
  ) {}

  /** Hash of the name `bytes[start … end)`, which the following calls of `value` refer to. */
  name(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.absorb(bytes, start, end, this.key0, this.key1, 0x6c79_6765 ^ this.key0, 0x7465_6462 ^ this.key1);
    return hash;
  }

  /** Hash of the last name together with the value `bytes[start … end)`. Integers go in as their decimal text. */
  value(bytes: Uint8Array, start: number, end: number): number {
    const { n0, n1, n2, n3 } = this;
    const hash = this.absorb(bytes, start, end, n0, n1, n2, n3);
    this.n0 = n0;
    this.n1 = n1;
    this.n2 = n2;
    this.n3 = n3;
    return hash;
  }

  private absorb(bytes: Uint8Array, start: number, end: number, a: number, b: number, c: number, d: number): number {
    let v0 = a | 0;
    let v1 = b | 0;
    let v2 = c | 0;
    let v3 = d | 0;
    let m = 0;
    let at = start;
    const length = end - start;
    // The last word carries the length, as in SipHash; so a boundary can not be moved between name and value.
    for (let left = length >> 2; left >= 0; left--) {
      if (left > 0) {
        m = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
        at += 4;
      } else {
        m = length << 24;
        for (let shift = 0; at < end; shift += 8) m |= bytes[at++] << shift;
      }
      v3 ^= m;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= m;
    }
    this.n0 = v0;
    this.n1 = v1;
    this.n2 = v2;
    this.n3 = v3;
    v2 ^= 0xff;
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    return (v1 ^ v3) & 0x3fff_ffff;
  }
}
