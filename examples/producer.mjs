// Publishes a lamp that is dimmed up and down: node examples/producer.mjs DOMAIN|ADDRESS
import { attach } from "pathfinder-edge";

const [where = "ux:pathfinder"] = process.argv.slice(2);
const domain = attach(where, { log: console });

let level = 50;
const lamp = domain.publish({ kind: "lamp", room: "kitchen", level });
lamp.published().then(() => console.log(`lamp ${lamp.id.toString(16)} is published`));
const dimming = setInterval(() => {
  level = (level + 10) % 100;
  lamp.modify({ kind: "lamp", room: "kitchen", level });
}, 1000);

const leave = () => {
  clearInterval(dimming);
  domain.close(); // withdraws the lamp
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, leave);
