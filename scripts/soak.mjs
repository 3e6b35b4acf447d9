/**
 * `npm run soak [-- --minutes M --seed N --json]`: a real pafd under load for as long as asked (default: two minutes), with
 * clients that come and go, misbehave, stop reading and leave orphans behind, and a witness that checks every answer.
 * Memory, descriptors and timers are watched; when everybody has left they must be back where they were. Ends with the
 * line `N passed, N failed`.
 */
import { runTypeScript } from "./run-typescript.mjs";

await runTypeScript("soak/main.ts");
