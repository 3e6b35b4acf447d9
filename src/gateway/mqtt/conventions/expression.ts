/**
 * The texts of mapping tables with places in braces: `http://{/ip}/`, `{/friendly_name|/name}`. A place is a JSON pointer
 * into the announcement (RFC 6901), or the name of a level of its topic; of several, the first that is there counts.
 * `{payload}` is the announcement itself if it is a plain text. Nothing is ever run.
 */

import { isObject, type Json, pointedTo, pointerTokens } from "./json.js";
import { LIMITS } from "./limits.js";

export interface Announced {
  /** `undefined` if it is plain text. */
  readonly json: Json | undefined;
  readonly text: string;
  readonly levels: ReadonlyMap<string, string>;
}

type Place = (from: Announced) => Json | undefined;

export interface Expression {
  /** Every value: an expression that is one place gives the elements of a list, and the names of an object. */
  values(from: Announced): readonly Json[];
  /** One text; `undefined` if one of the places is not there. */
  text(from: Announced): string | undefined;
}

/** `names`: those of the topic's levels. Throws a `RangeError` if the text is none. */
export function expression(text: string, names: readonly string[]): Expression {
  const fail = (why: string) => new RangeError(`${JSON.stringify(text.slice(0, 80))}: ${why}`);
  const parts = text.split(/\{([^{}]*)\}/);
  if (parts.some((part, at) => at % 2 === 0 && /[{}]/.test(part))) throw fail("a brace without its partner");
  const places = parts.map((part, at) =>
    at % 2 === 0 ? undefined : part.split("|").map((place) => placeOf(place, names, fail)),
  );
  const single = parts.length === 3 && parts[0] === "" && parts[2] === "" ? places[1] : undefined;
  const textOf = (from: Announced): string | undefined => {
    let result = "";
    for (const [at, part] of parts.entries()) {
      const value = places[at] ? firstOf(places[at], from) : part;
      if (value === undefined || value === null || typeof value === "object") return undefined;
      result += String(value);
    }
    return result;
  };
  return {
    text: textOf,
    values(from) {
      if (!single) return [textOf(from)].filter((value) => value !== undefined);
      const value = firstOf(single, from);
      if (isObject(value)) return Object.keys(value).slice(0, LIMITS.valuesOfProperty);
      if (Array.isArray(value)) return (value as Json[]).slice(0, LIMITS.valuesOfProperty);
      return value === undefined ? [] : [value];
    },
  };
}

function placeOf(place: string, names: readonly string[], fail: (why: string) => Error): Place {
  if (place.startsWith("/")) {
    const tokens = pointerTokens(place);
    return ({ json }) => (json === undefined ? undefined : pointedTo(json, tokens));
  }
  if (place === "payload") return ({ text }) => text;
  if (!names.includes(place)) {
    const known = [...names, "payload"].map((name) => `{${name}}`).join(", ");
    throw fail(`{${place}} is neither a JSON pointer like {/ip} nor one of ${known}`);
  }
  return ({ levels }) => levels.get(place);
}

function firstOf(places: readonly Place[], from: Announced): Json | undefined {
  for (const place of places) {
    const value = place(from);
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}
