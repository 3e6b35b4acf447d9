// Publishes a lamp that is dimmed up and down: node examples/producer.mjs DOMAIN|ADDRESS
import { attach } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const say = (text) => console.error(text());
const log = { debug() {}, info: say, warning: say, error: say }; // else one would wait in silence for a server that is not there
const domain = attach(where.includes(":") ? { servers: [{ address: where }] } : where, { log });

let level = 50;
const lamp = domain.publish({ kind: "lamp", room: "kitchen", level });
const dimming = setInterval(() => {
  level = (level + 10) % 100;
  lamp.modify({ kind: "lamp", room: "kitchen", level });
}, 1000);

const leave = async () => {
  clearInterval(dimming);
  await domain.close(); // withdraws the lamp
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, leave);
