/** A service as mirrors and answers see it. */

import { properties } from "../../../../src/core/properties.js";
import type { KnownService } from "../../../../src/gateway/mqtt/native/known-services.js";

type Props = Parameters<typeof properties>[0];

export function known(
  id: number,
  props: Props,
  { kind = "lamp", generation = 1, ttlSeconds = 600, order }: Partial<Options> = {},
): KnownService {
  const state = {
    id: BigInt(id),
    generation: BigInt(generation),
    ttlSeconds: BigInt(ttlSeconds),
    properties: properties(props),
    owner: 1n,
  };
  return { state, id: id.toString(16).padStart(16, "0"), kind, mirrored: true, order };
}

interface Options {
  readonly kind: string;
  readonly generation: number;
  readonly ttlSeconds: number;
  readonly order: readonly string[] | undefined;
}
