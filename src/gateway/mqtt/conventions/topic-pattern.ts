/** Topic filters with named levels: `tasmota/discovery/{mac}/config`, or `shelly{model}-{mac}/online` with parts of a level. */

import { LIMITS } from "./limits.js";

export interface TopicPattern {
  /** What to subscribe to. */
  readonly filter: string;
  readonly names: readonly string[];
  /** What the names stand for in a topic; `undefined` if it does not match. */
  match(topic: string): ReadonlyMap<string, string> | undefined;
}

const NAME = /\{([a-z][a-z0-9_]{0,31})\}/g;

/** Throws a `RangeError` if `text` is no such filter. */
export function topicPattern(text: string): TopicPattern {
  const fail = (why: string) => new RangeError(`topic filter ${JSON.stringify(text.slice(0, 80))}: ${why}`);
  const levels = text.split("/");
  if (text === "" || text.startsWith("$")) throw fail("expected levels like sensors/{room}/state");
  if (Buffer.byteLength(text) > LIMITS.topicBytes) throw fail(`at most ${LIMITS.topicBytes} bytes`);
  const names: string[] = [];
  const literals = levels.map((level) => level.replace(NAME, ""));
  if (literals.some((literal) => /[+#{}\u0000-\u001f\u007f]/.test(literal))) {
    throw fail("names stand in braces, as {name} (a-z, 0-9, _); +, # and control characters are not accepted");
  }
  if (literals.every((literal, at) => literal === "" && levels[at] !== "")) {
    throw fail("one level at least must have fixed text (never subscribe to everything)");
  }
  const parts = levels.map((level) => {
    let names_ = 0;
    const source = level
      .split(NAME)
      .map((part, at) => {
        if (at % 2 === 0) return part.replace(/[\\^$.*+?()[\]|-]/g, "\\$&");
        names.push(part);
        names_++;
        return "([^/]+)";
      })
      .join("");
    if (names_ > 3) throw fail("at most 3 names in a level");
    return { source, fixed: names_ === 0, level };
  });
  if (new Set(names).size < names.length) throw fail("a name stands there twice");
  const pattern = new RegExp(`^${parts.map(({ source }) => source).join("/")}$`);
  return {
    filter: parts.map(({ fixed, level }) => (fixed ? level : "+")).join("/"),
    names,
    match(topic) {
      if (topic.length > LIMITS.topicBytes) return undefined;
      const found = pattern.exec(topic);
      return found ? new Map(names.map((name, at) => [name, found[at + 1]])) : undefined;
    },
  };
}
