/** What the descriptions of the configuration file are put together from. See schema.ts for the keywords. */

import { type SchemaOptions, type TSchema, Type } from "@sinclair/typebox";

/** A text that is one of `values`. */
export const oneOf = <T extends string>(values: readonly T[], options: SchemaOptions) =>
  Type.Unsafe<T>({ type: "string", enum: [...values], ...options });

export const mapping = <P extends Record<string, TSchema>>(keys: P, options: SchemaOptions = {}) =>
  Type.Object(keys, { additionalProperties: false, ...options });

export const text = (options: SchemaOptions = {}) => Type.String({ minLength: 1, maxLength: 1024, ...options });

export const path = (options: SchemaOptions = {}) => text({ what: "a file name", maxLength: 4095, ...options });

export const count = (what: string, minimum: number, maximum: number, options: SchemaOptions = {}) =>
  Type.Integer({ minimum, maximum, what, ...options });

/** The name of a file that may be left out. */
export const file = (example: string, description: string) => Type.Optional(path({ examples: [example], description }));

export const seconds = (minimum: number, maximum: number, options: SchemaOptions) =>
  count("a number of seconds", minimum, maximum, options);

/** The key `domain` of a gateway. */
export const gatewayDomain = Type.Optional(
  text({
    maxLength: 256,
    suggested: "home",
    description: "Name of the domain the gateway serves; may be left out if there is exactly one domain.",
  }),
);
