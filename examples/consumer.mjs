// Prints the lamps that come, change and go: node examples/consumer.mjs DOMAIN|ADDRESS
import { and, attach, equal, greater } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const domain = attach(where.includes(":") ? { servers: [{ address: where }] } : where);
const leaving = new AbortController();
process.once("SIGINT", () => leaving.abort());

for await (const match of domain.matches(and(equal("kind", "lamp"), greater("level", 0)), leaving)) {
  const { type, serviceId } = match;
  const name = `lamp ${serviceId.toString(16)}`;
  if (type === "disappeared") console.log(`${name} has gone`);
  else console.log(`${name} ${type} in the ${match.properties.get("room")}: ${match.properties.get("level")} %`);
}
await domain.close();
