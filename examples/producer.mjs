// Publishes a lamp that is dimmed up and down: node examples/producer.mjs DOMAIN|ADDRESS
import { attach } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const domain = attach(where.includes(":") ? { servers: [{ address: where }] } : where);

let level = 50;
const lamp = domain.publish({ kind: "lamp", room: "kitchen", level });
const dimming = setInterval(() => {
  level = (level + 10) % 100;
  lamp.modify({ kind: "lamp", room: "kitchen", level });
}, 1000);

process.once("SIGINT", async () => {
  clearInterval(dimming);
  await domain.close(); // withdraws the lamp
});
