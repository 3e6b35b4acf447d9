import { test } from "uvu";
import * as assert from "uvu/assert";
import { PairHash } from "../../src/core/pair-hash.js";

function pair(hash: PairHash, name: string, value: string): [number, number] {
  const bytes = Buffer.from(name + value);
  const split = Buffer.byteLength(name);
  return [hash.name(bytes, 0, split), hash.value(bytes, split, bytes.length)];
}

const keyed = () => new PairHash(0x0bad_cafe, 0x1234_5678);
const text = "abcdefghijklmnopqrstuvwxyz";

test("the same name and value give the same hashes, wherever they stand and whatever came between", () => {
  const hash = keyed();
  const bytes = Buffer.from(`....${text}`);
  const name = hash.name(bytes, 4, 9);
  const first = hash.value(bytes, 9, 14);
  hash.value(bytes, 14, 20);
  assert.is(hash.value(bytes, 9, 14), first, "values do not disturb each other");
  assert.equal(pair(keyed(), "abcde", "fghij"), [name, first]);
});

test("hashes are 30 bits and differ for every place of the boundary between name and value", () => {
  const seen = new Set<number>();
  for (let length = 0; length <= text.length; length++) {
    for (let split = 0; split <= length; split++) {
      const [name, value] = pair(keyed(), text.slice(0, split), text.slice(split, length));
      for (const hash of [name, value]) assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 30);
      seen.add(value);
    }
  }
  assert.is(seen.size, (27 * 28) / 2);
});

test("zero bytes at the end count", () => {
  const names = Array.from({ length: 20 }, (_, i) => pair(keyed(), "\0".repeat(i), "")[0]);
  assert.is(new Set(names).size, 20);
});

test("another key gives other hashes, and neighbouring texts are spread evenly", () => {
  const equal = Array.from({ length: 1000 }, (_, i) => pair(keyed(), "n", `${i}`)[1]).filter(
    (hash, i) => hash === pair(new PairHash(0x0bad_caff, 0x1234_5678), "n", `${i}`)[1],
  );
  assert.is(equal.length, 0);
  const buckets = new Array<number>(64).fill(0);
  for (let i = 0; i < 64_000; i++) buckets[pair(keyed(), "n", `${i}`)[1] & 63]!++;
  assert.ok(Math.min(...buckets) > 850 && Math.max(...buckets) < 1150, `${buckets}`);
});

test.run();
