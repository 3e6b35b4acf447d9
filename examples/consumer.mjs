// Prints the lamps that come, change and go: node examples/consumer.mjs DOMAIN|ADDRESS
import { and, attach, equal, greater } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const domain = attach(where, { log: { ...console, debug() {} } });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => domain.close()); // ends the loop

for await (const match of domain.matches(and(equal("kind", "lamp"), greater("level", 0)))) {
  const name = `lamp ${match.serviceId.toString(16)}`;
  if (match.type === "disappeared") console.log(`${name} has gone`);
  else console.log(`${name} ${match.type} in the ${match.first("room")}: ${match.first("level")} %`);
}
