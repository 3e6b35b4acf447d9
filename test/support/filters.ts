/** Evaluates filters over properties, for tests. */

import { BlockStore } from "../../src/core/blocks.js";
import { FilterCompiler, matches } from "../../src/core/filter/program.js";
import { parseFilter } from "../../src/core/filter/syntax.js";
import { PairHash } from "../../src/core/pair-hash.js";
import { properties } from "../../src/core/properties.js";
import { RecordBuilder } from "../../src/core/record.js";

type Props = Parameters<typeof properties>[0];

export function filterFixture() {
  const store = new BlockStore();
  const hash = new PairHash(0x1234_5678, 0x0bad_cafe);
  const builder = new RecordBuilder(hash);
  const record = (props: Props): number => {
    const words = builder.fromProperties(properties(props));
    if (builder.tooLarge) throw new RangeError("these properties are more than a service can have");
    return store.store(builder.page, 0, words);
  };
  return { store, hash, builder, record };
}

/** True if the filter matches the properties. */
export function match(filter: string, props: Props): boolean {
  const { store, hash, record } = filterFixture();
  const compiler = new FilterCompiler(store, hash);
  return matches(store, compiler.compile(parseFilter(filter)), record(props));
}
