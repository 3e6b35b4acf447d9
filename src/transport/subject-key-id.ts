/**
 * Finds the subjectKeyIdentifier in a certificate (RFC 5280, 4.1 and 4.2.1.2), which Node.js does not show. The elements
 * are walked as DER lays them out; nothing is searched for, so bytes elsewhere that look like the extension are not it.
 */

const INTEGER = 0x02;
const BOOLEAN = 0x01;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
/** `[0] version`, `[3] extensions`. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** 2.5.29.14 */
const SUBJECT_KEY_IDENTIFIER = [0x55, 0x1d, 0x0e];
const LONGEST_LENGTH = 4;

const ABSENT = new Uint8Array(0);

/** Reads elements one after the other from `bytes[at … end)`. What does not fit is not there. */
class Elements {
  /** Of the element last read; its content is `bytes[begin … at)`. */
  tag = 0;
  begin = 0;

  constructor(
    readonly bytes: Uint8Array,
    private at: number,
    private end: number,
  ) {}

  /** Moves to the next element; whether it has that tag. If there is none, `tag` is 0 and nothing more is found. */
  next(tag: number): boolean {
    this.tag = 0;
    const { bytes, end } = this;
    if (end - this.at < 2) return false;
    const found = bytes[this.at]!;
    let length = bytes[this.at + 1]!;
    let begin = this.at + 2;
    if (length > 0x80 && length <= 0x80 + LONGEST_LENGTH) {
      const count = length - 0x80;
      if (end - begin < count) return this.#nothing();
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + bytes[begin + i]!;
      begin += count;
    } else if (length >= 0x80) return this.#nothing(); // indefinite, which DER forbids, or larger than any certificate
    if (end - begin < length) return this.#nothing();
    this.tag = found;
    this.begin = begin;
    this.at = begin + length;
    return found === tag;
  }

  /** The same if the next element has that tag; otherwise it stays the next one. */
  optional(tag: number): boolean {
    return this.at < this.end && this.bytes[this.at] === tag && this.next(tag);
  }

  /** What is inside the element last read. */
  inside(): Elements {
    return new Elements(this.bytes, this.begin, this.at);
  }

  get content(): Uint8Array {
    return this.bytes.subarray(this.begin, this.at);
  }

  get more(): boolean {
    return this.at < this.end;
  }

  #nothing(): false {
    this.at = this.end;
    return false;
  }
}

/** A copy of the identifier; empty if the certificate has none, or if `certificate` is not DER of a certificate. */
export function subjectKeyIdOf(certificate: Uint8Array): Uint8Array {
  const outer = new Elements(certificate, 0, certificate.length);
  if (!outer.next(SEQUENCE)) return ABSENT;
  const signed = outer.inside();
  if (!signed.next(SEQUENCE)) return ABSENT;
  const fields = signed.inside();
  fields.optional(VERSION);
  if (!fields.next(INTEGER)) return ABSENT; // the serial number
  // Signature algorithm, issuer, validity, subject, the subject's key.
  for (let i = 0; i < 5; i++) if (!fields.next(SEQUENCE)) return ABSENT;
  // Two unique identifiers that nobody uses may stand before the extensions.
  while (fields.more) {
    if (fields.next(EXTENSIONS)) return inExtensions(fields.inside());
    if (fields.tag === 0) return ABSENT;
  }
  return ABSENT;
}

function inExtensions(wrapper: Elements): Uint8Array {
  if (!wrapper.next(SEQUENCE)) return ABSENT;
  const extensions = wrapper.inside();
  while (extensions.more) {
    if (!extensions.next(SEQUENCE)) return ABSENT;
    const extension = extensions.inside();
    if (!extension.next(OBJECT_IDENTIFIER)) return ABSENT;
    if (!isSubjectKeyIdentifier(extension.content)) continue;
    extension.optional(BOOLEAN); // critical
    if (!extension.next(OCTET_STRING)) return ABSENT;
    const value = extension.inside();
    return value.next(OCTET_STRING) ? value.content.slice() : ABSENT;
  }
  return ABSENT;
}

function isSubjectKeyIdentifier(oid: Uint8Array): boolean {
  return oid.length === SUBJECT_KEY_IDENTIFIER.length && SUBJECT_KEY_IDENTIFIER.every((byte, i) => oid[i] === byte);
}
