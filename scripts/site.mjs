/**
 * `npm run site [-- --minutes M --seed N --devices N --loss KIND --quiet]`: three boards (real pafd, each with its own domain, an MQTT
 * gateway with presence, mirror and queries, and a federation) on two bridged mosquittos, one of which keeps what it is told.
 * One of the five is killed, stopped in order or frozen every few seconds (default: for three minutes), or the bridge is cut or
 * carries nothing, while simulated devices announce, change, sleep, die and leave, and services are published on each board.
 * When all agree again something is lost: a board for good, a board and its broker for good, the bridge, or a broker that
 * freezes; what is behind it must be gone within its bound, and nothing else. An oracle checks what a client on
 * each board is told (scripts/site/oracle.ts has the rules, times.ts the bounds and where they come from). A failure prints
 * the story of the service and the command that repeats the faults. `--plan` prints what would happen when, and does nothing;
 * `--sabotage KIND` falsifies what the oracle hears, which it must find (scripts/site/sabotage.ts).
 */
import { runTypeScript } from "./run-typescript.mjs";

await runTypeScript("site/main.ts");
