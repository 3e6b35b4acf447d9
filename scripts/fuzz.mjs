/**
 * `npm run fuzz [-- --target NAME --seed N --count N]`: mutated input for the parsers, compared with plain references.
 * `npm run fuzz -- sessions [--messages N --clients N --seed N]`: whole sessions, disturbed, against a real pafd.
 * `npm run fuzz -- mdns [--seconds N --rate N --seed N]`: a flood of mutated packets on the mDNS gateway, in namespaces.
 * A failure prints the command that repeats it. Without --seed each run tries other cases.
 */
import { runTypeScript } from "./run-typescript.mjs";

await runTypeScript("fuzz/main.ts");
