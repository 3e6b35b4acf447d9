/** The floor as a process of its own: `node scripts/bench/floor.mjs NAME`. */
import { echo } from "./seqpacket.mjs";

echo(process.argv[2]);
