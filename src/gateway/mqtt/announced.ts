/** What a device announces, and the limits that either form of writing it is held to (part D.2). */

import type { Properties, PropertyValue } from "../../core/properties.js";
import { NAME_PATTERN } from "./topics.js";

export const ANNOUNCEMENT_LIMITS = {
  payloadBytes: 4096,
  /** Values, counted over all names. */
  values: 64,
  keyCharacters: 64,
  valueBytes: 1024,
} as const;

export const TTL_SECONDS = { least: 60, most: 86_400, default: 600 } as const;

export interface Announcement {
  readonly kind: string;
  /** Within `TTL_SECONDS`: what the device said, moved into these bounds. */
  readonly ttlSeconds: number;
  /** Without the reserved names. */
  readonly properties: Properties;
  /** Reserved names that the device tried to set; its values for them are left out. */
  readonly refusedKeys: readonly string[];
  /** It carries `sdid`: a gateway made it from what is in a directory already (D.6). */
  readonly mirrored: boolean;
}

/** The payload is not an announcement. The message says why and never holds more than a short piece of it. */
export class AnnouncementError extends Error {
  override readonly name = "AnnouncementError";
}

/** True for keys that only the gateway itself sets. */
function isReserved(key: string): boolean {
  return key === "kind" || key === "src" || key === "gw" || key.startsWith("mqtt.");
}

/** Takes the parts of an announcement, and holds them to the limits. */
export class Collector {
  private kindSeen: string | undefined;
  private ttlSeconds: number = TTL_SECONDS.default;
  private readonly collected = new Map<string, PropertyValue[]>();
  private readonly refusedKeys = new Set<string>();
  private values = 0;
  private mirrored = false;

  kind(kind: string): void {
    if (!NAME_PATTERN.test(kind)) {
      throw new AnnouncementError(`kind ${show(kind)}: expected 1 to 20 of A-Z a-z 0-9 _ -`);
    }
    this.kindSeen = kind;
  }

  /** `digits` is the number as written; it may be absurdly long. */
  ttl(digits: string): void {
    if (!/^[0-9]+$/.test(digits)) {
      throw new AnnouncementError(`time to live ${show(digits)}: expected a whole number of seconds`);
    }
    this.ttlSeconds = Math.min(Math.max(Number(digits), TTL_SECONDS.least), TTL_SECONDS.most);
  }

  marker(): void {
    this.mirrored = true;
  }

  string(key: string, value: string): void {
    if (Buffer.byteLength(value) > ANNOUNCEMENT_LIMITS.valueBytes) {
      throw new AnnouncementError(`value of ${show(key)}: more than ${ANNOUNCEMENT_LIMITS.valueBytes} bytes`);
    }
    if (value.includes("\0")) throw new AnnouncementError(`value of ${show(key)}: contains a NUL character`);
    this.add(key, value);
  }

  /** `digits` is the number as written. */
  integer(key: string, digits: string): void {
    const value = /^-?[0-9]{1,40}$/.test(digits) ? BigInt(digits) : undefined;
    if (value === undefined || BigInt.asIntN(64, value) !== value) {
      throw new AnnouncementError(`value of ${show(key)}: ${show(digits)} is not an integer of at most 64 bits`);
    }
    this.add(key, value);
  }

  private add(key: string, value: PropertyValue): void {
    if (!/^[A-Za-z0-9._-]+$/.test(key) || key.length > ANNOUNCEMENT_LIMITS.keyCharacters) {
      throw new AnnouncementError(
        `property name ${show(key)}: expected 1 to ${ANNOUNCEMENT_LIMITS.keyCharacters} of A-Z a-z 0-9 . _ -`,
      );
    }
    if (++this.values > ANNOUNCEMENT_LIMITS.values) {
      throw new AnnouncementError(`more than ${ANNOUNCEMENT_LIMITS.values} property values`);
    }
    if (key === "sdid") this.mirrored = true;
    if (isReserved(key)) {
      this.refusedKeys.add(key);
      return;
    }
    const values = this.collected.get(key);
    if (!values) this.collected.set(key, [value]);
    else if (!values.includes(value)) values.push(value);
  }

  announcement(): Announcement {
    if (this.kindSeen === undefined) throw new AnnouncementError("no kind of service given");
    return {
      kind: this.kindSeen,
      ttlSeconds: this.ttlSeconds,
      properties: this.collected,
      refusedKeys: [...this.refusedKeys],
      mirrored: this.mirrored,
    };
  }
}

/** A piece of foreign text short enough for a log line. */
export function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
