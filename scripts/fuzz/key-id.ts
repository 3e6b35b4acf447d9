/** Certificates that are hardly more than their extensions, and the fuzz target that damages them. */

import { subjectKeyIdOf } from "../../src/transport/subject-key-id.js";
import { SeededRandom } from "./random.js";

/** One DER element; the length in as many bytes as asked for. */
export function der(tag: number, content: Buffer | readonly Buffer[], lengthBytes?: number): Buffer {
  const inside = Buffer.isBuffer(content) ? content : Buffer.concat(content as Buffer[]);
  const count =
    lengthBytes ?? (inside.length < 0x80 ? 0 : inside.length < 0x100 ? 1 : inside.length < 0x1_0000 ? 2 : 3);
  const length = Buffer.alloc(count || 1);
  if (count === 0) length[0] = inside.length;
  else length.writeUIntBE(inside.length, 0, count);
  return Buffer.concat([Buffer.of(tag), ...(count ? [Buffer.of(0x80 + count)] : []), length, inside]);
}

const hex = (text: string) => Buffer.from(text, "hex");
export const NULL = der(0x30, []);
export const SKI = der(0x06, hex("551d0e"));
export const AKI = der(0x06, hex("551d23"));
export const octets = (content: Buffer) => der(0x04, content);
export const ski = (value: Buffer, ...between: Buffer[]) => der(0x30, [SKI, ...between, octets(value)]);

/** A certificate with these extensions and otherwise nothing in it. */
export function certificate(
  extensions: readonly Buffer[],
  before: readonly Buffer[] = [],
  serial: Buffer = hex("0201ff"),
): Buffer {
  const fields = [der(0xa0, hex("020102")), serial, NULL, NULL, NULL, NULL, NULL, ...before];
  return der(0x30, [der(0x30, [...fields, der(0xa3, der(0x30, extensions))]), NULL, der(0x03, hex("00"))]);
}

/** One certificate with up to five extensions, damaged in up to three places. True if the identifier was found. */
export function keyIdTarget(seed: number): boolean {
  const random = new SeededRandom(seed);
  const bytes = (most: number) => Buffer.from(Array.from({ length: random.below(most) }, () => random.below(256)));
  const id = bytes(random.pick([3, 21, 200]));
  const others = Array.from({ length: random.below(5) }, () => der(0x30, [AKI, octets(bytes(40))], random.below(4)));
  const own = ski(octets(id), ...(random.below(2) ? [Buffer.of(1, 1, 0xff)] : []));
  const whole = certificate(random.shuffled([...others, own]));
  const damaged = Buffer.from(whole.subarray(0, random.below(3) ? whole.length : random.below(whole.length)));
  const places = random.below(4);
  for (let i = 0; i < places && damaged.length > 0; i++) {
    damaged[random.below(damaged.length)] = random.pick([random.below(256), 0x80, 0x84, 0xff, 0x30, 0x04]);
  }
  const found = Buffer.from(subjectKeyIdOf(damaged));
  if (damaged.equals(whole) && !found.equals(id)) throw new Error(`found ${found.toString("hex")}`);
  if (found.length > 0 && !damaged.includes(found)) throw new Error("bytes that are not in the certificate");
  return found.length > 0 && found.equals(id);
}
