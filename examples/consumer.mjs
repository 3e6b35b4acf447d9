// Prints the lamps that come, change and go: node examples/consumer.mjs DOMAIN|ADDRESS
import { and, attach, equal, greater } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const say = (text) => console.error(text());
const log = { debug() {}, info: say, warning: say, error: say }; // else one would wait in silence for a server that is not there
const domain = attach(where.includes(":") ? { servers: [{ address: where }] } : where, { log });
const leaving = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => leaving.abort());

for await (const match of domain.matches(and(equal("kind", "lamp"), greater("level", 0)), leaving)) {
  const { type, serviceId } = match;
  const name = `lamp ${serviceId.toString(16)}`;
  if (type === "disappeared") console.log(`${name} has gone`);
  else console.log(`${name} ${type} in the ${match.properties.get("room")}: ${match.properties.get("level")} %`);
}
await domain.close();
