// Publishes a lamp that is dimmed up and down: node examples/producer.mjs DOMAIN|ADDRESS
import { attach } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const domain = attach(where, { log: { ...console, debug() {} } });

let level = 50;
const lamp = domain.publish({ kind: "lamp", room: "kitchen", level });
const told = () => console.log(`lamp ${lamp.id.toString(16)} is published`);
lamp.published().then(told, () => {}); // not if we leave before
const dimming = setInterval(() => {
  level = (level + 10) % 100;
  lamp.modify({ kind: "lamp", room: "kitchen", level });
}, 1000);

const leave = () => {
  clearInterval(dimming);
  domain.close(); // withdraws the lamp
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, leave);
