/** `npm start [-- pafd options]`: sets up, then runs pafd. Without options it runs the embedded default. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./build.mjs";
import { DIST } from "./setup.mjs";

await setUp();
const args = process.argv.slice(2);
const child = spawn(join(DIST, "pafd"), args.length > 0 ? args : ["--demo"], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
