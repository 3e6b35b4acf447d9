/**
 * Loaded into a server whose memory is measured (NODE_OPTIONS=--require=…): on SIGUSR2 it collects garbage as thoroughly as
 * V8 can. By itself V8 does so whenever it likes, so that what is held cannot be told from what is not collected yet.
 */
require("node:v8").setFlagsFromString("--expose-gc");
const collect = require("node:vm").runInNewContext("gc");
process.on("SIGUSR2", () => {
  for (let i = 0; i < 4; i++) collect();
});
