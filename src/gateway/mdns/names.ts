/**
 * Domain names in the one text form that this gateway uses everywhere.
 *
 * On the wire a label is up to 63 bytes of anything. As text, labels are joined by dots; inside a label `.` is written
 * `\.` and `\` is written `\\`; a control character, and each byte above 0x7f of a label that is not UTF-8, is written
 * `\DDD` (decimal). Everything else stands for itself, so each name has exactly one text form. The root is `.`.
 * Names are equal if they are after lower-casing ASCII letters, and nothing else (RFC 6762, section 16).
 */

export const LABEL_BYTES_LIMIT = 63;
/** With all length bytes and the root's. */
export const NAME_BYTES_LIMIT = 255;

export class NameError extends Error {}

/** The bytes of a label as text. */
export function labelText(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = view.toString("utf8");
  if (/^[\x21-\x2d\x2f-\x5b\x5d-\x7e]*$/.test(text)) return text;
  const isUtf8 = Buffer.from(text, "utf8").equals(view);
  const decimal = (character: string) => `\\${String(character.charCodeAt(0)).padStart(3, "0")}`;
  return isUtf8
    ? text.replace(/[.\\]/g, "\\$&").replace(/[\x00-\x1f\x7f]/g, decimal)
    : view
        .toString("latin1")
        .replace(/[.\\]/g, "\\$&")
        .replace(/[\x00-\x1f\x7f-\xff]/g, decimal);
}

/** The bytes that a label in text form stands for. Throws a `NameError`. */
export function labelBytes(label: string): Buffer {
  const bytes = label.includes("\\") ? unescaped(label) : Buffer.from(label, "utf8");
  if (bytes.length === 0) throw new NameError("empty label in a domain name");
  if (bytes.length > LABEL_BYTES_LIMIT) {
    throw new NameError(`label "${label}" has ${bytes.length} bytes (at most ${LABEL_BYTES_LIMIT} allowed)`);
  }
  return bytes;
}

function unescaped(label: string): Buffer {
  const parts: Buffer[] = [];
  for (const [part, decimal, literal] of label.matchAll(/\\([0-9]{3})|\\([\s\S]?)|[^\\]+/g)) {
    if (decimal !== undefined) {
      if (Number(decimal) > 255) throw new NameError(`"\\${decimal}" in label "${label}" is not a byte (000 … 255)`);
      parts.push(Buffer.of(Number(decimal)));
    } else {
      if (literal === "") throw new NameError(`label "${label}" ends in a backslash`);
      parts.push(Buffer.from(literal ?? part, "utf8"));
    }
  }
  return Buffer.concat(parts);
}

/** What a person should see of a label: its text without escapes, or with them if it is not UTF-8. */
export function displayLabel(label: string): string {
  if (!label.includes("\\")) return label;
  const bytes = labelBytes(label);
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : label;
}

/** The labels of a name, still in text form. The root has none. Does not check; `nameBytes` does. */
export function labelsOf(name: string): string[] {
  if (name === "." || name === "") return [];
  const labels = [""];
  for (const [part] of name.matchAll(/\\[\s\S]?|\.|[^.\\]+/g)) {
    if (part === ".") labels.push("");
    else labels[labels.length - 1] += part;
  }
  if (labels.at(-1) === "") labels.pop(); // the dot of the root, written out
  return labels;
}

export function nameOf(labels: readonly string[]): string {
  return labels.length === 0 ? "." : labels.join(".");
}

/** The name on the wire, without compression. Throws a `NameError`. */
export function nameBytes(name: string): Buffer {
  const parts = labelsOf(name).flatMap((label) => {
    const bytes = labelBytes(label);
    return [Buffer.of(bytes.length), bytes];
  });
  const bytes = Buffer.concat([...parts, Buffer.of(0)]);
  if (bytes.length > NAME_BYTES_LIMIT) {
    throw new NameError(`domain name of ${bytes.length} bytes (at most ${NAME_BYTES_LIMIT} allowed): ${name}`);
  }
  return bytes;
}

/** The name in its one text form, whichever escapes it was written with. Throws a `NameError`. */
export function canonicalName(name: string): string {
  nameBytes(name);
  return nameOf(labelsOf(name).map((label) => labelText(labelBytes(label))));
}

/** The form in which names are compared and used as keys. */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A name read from a message: its text form, and how many bytes it takes at its place. */
export interface ReadName {
  readonly name: string;
  readonly bytes: number;
}

/** More pointers than any sane sender nests; without a limit, reading a crafted message takes quadratic time. */
const POINTERS_LIMIT = 32;

/** Reads a possibly compressed name at `offset`. Throws a `NameError` for what RFC 1035 does not allow. */
export function readName(message: Uint8Array, offset: number): ReadName {
  const labels: string[] = [];
  let at = offset;
  let bytes = 0; // known at the first pointer, or else at the end
  let total = 1;
  let pointers = 0;
  let lowest = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined) throw new NameError("domain name runs past the end of the message");
    if (length >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) throw new NameError("domain name runs past the end of the message");
      const target = (length & 0x3f) * 256 + low;
      if (target >= lowest) throw new NameError("compressed domain name does not point backwards");
      if (++pointers > POINTERS_LIMIT) throw new NameError("domain name with too many pointers");
      if (pointers === 1) bytes = at + 2 - offset;
      at = lowest = target;
    } else if (length > LABEL_BYTES_LIMIT) {
      throw new NameError(`unknown kind of label (first byte ${length})`);
    } else if (length === 0) {
      return { name: nameOf(labels), bytes: pointers > 0 ? bytes : at + 1 - offset };
    } else {
      total += 1 + length;
      if (total > NAME_BYTES_LIMIT) throw new NameError(`domain name of more than ${NAME_BYTES_LIMIT} bytes`);
      if (at + 1 + length > message.length) throw new NameError("domain name runs past the end of the message");
      labels.push(labelText(message.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
  }
}
