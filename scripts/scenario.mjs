/**
 * `npm run scenario [-- --minutes M --seed N --servers 2|3 --transport tcp|ux|tls|mixed --clients N --quiet]`: real servers of
 * one domain are killed, frozen, cut off and removed at random (default: for five minutes) while 20 producers and 20
 * consumers of the client library run; an oracle checks all that the consumers are told (scripts/scenario/oracle.ts has the
 * rules). A failure prints the story of the service and the command that repeats the faults. As root, or where user
 * namespaces are allowed, with a network of namespaces; else without partitions (in CI that is a failure). `--plan` prints
 * what would happen when, and does nothing; `--sabotage KIND` has the clients do something wrong that the oracle must find
 * (scripts/scenario/sabotage.ts).
 */
import { runTypeScript } from "./run-typescript.mjs";

await runTypeScript("scenario/main.ts");
