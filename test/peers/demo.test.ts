/**
 * The main job, as the README's first session has it: `pafd --demo` on one host, a printer that avahi announces on
 * another, a device that announces itself over MQTT; `pafc subscribe` sees them come and go.
 */

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Lab, missingForLab, ROOT } from "./lab.js";

const missing = missingForLab();
if (missing !== undefined && process.env.CI === "true") throw new Error(`the demo test has no lab: ${missing}`);
if (missing !== undefined) console.log(`Skipped: the demo with a real avahi-daemon (${missing}).`);
const test = suite("demo");
const when = missing === undefined ? test : Object.assign(test.skip, { run: test.run });

when("an avahi-announced service and an MQTT device appear in pafc, change and disappear", async () => {
  const lab = await Lab.start();
  const pafd = join(ROOT, "dist/pafd");
  const pafc = join(ROOT, "dist/pafc");
  /** The first line of a file in the lab's folder that matches; bounded by some 20 s. */
  const line = (file: string, pattern: string) =>
    lab.run(
      `for i in $(seq 400); do grep -qE '${pattern}' $D/${file} && break; sleep .05; done; grep -m1 -E '${pattern}' $D/${file} || { cat $D/${file}; false; }`,
    );
  try {
    await lab.run("host g 1; host a 2; avahi_start a");
    await lab.run(`on_exec g ${pafd} --demo > $D/pafd.log 2>&1 & pafd=$!`);
    await line("pafd.log", "Ctrl-C ends it");
    await line("pafd.log", "mqtt://127.0.0.1:1883: connected");
    await lab.run(`on_exec g ${pafc} ux:pathfinder subscribe '(!(gateway=*))' > $D/matches 2>&1 & sub=$!`);

    await lab.run('svc a printer "My printer v1.0" _ipp._tcp 631 rp=queue');
    const printer = await line("matches", "appeared.*_ipp._tcp");
    for (const part of [
      "'name': 'My printer v1.0'",
      "'port': 631",
      "'addr': '10.77.0.2'",
      "'txt.rp': 'queue'",
      "TTL: 240",
    ]) {
      assert.ok(printer.includes(part), `${part} in ${printer}`);
    }

    const announce = (payload: string) => lab.run(`on g mosquitto_pub -p 1883 -r -t sd1/a/sensor1 ${payload}`);
    await announce('-m "thermometer;600;room=kitchen;fw#3"');
    const sensor = await line("matches", "appeared.*thermometer");
    for (const part of ["'room': 'kitchen'", "'fw': 3", "'name': 'sensor1'", "TTL: 600"])
      assert.ok(sensor.includes(part), sensor);
    const id = /Service id: ([0-9a-f]+)/.exec(sensor)![1];
    await announce('-m "thermometer;600;room=cellar;fw#3"');
    await line("matches", `modified.*${id}.*cellar`);
    await announce("-n");
    await line("matches", `disappeared.*${id}`);

    await lab.run(`on_exec g ${pafc} tcp:127.0.0.1:4711 publish name=hello answer=42 > $D/publish 2>&1 & pub=$!`);
    const hello = /Service id: ([0-9a-f]+)/.exec(await line("matches", "appeared.*hello"))![1];
    await lab.run("kill -INT $pub; wait $pub");
    await line("matches", `disappeared.*${hello}`);

    await lab.run("unsvc a printer");
    await line("matches", `disappeared; Service id: ${/Service id: ([0-9a-f]+)/.exec(printer)![1]}`);

    assert.not.match(await lab.run("cat $D/matches"), /gateway/); // what the filter leaves out
    assert.match(
      await lab.run(`on g ${pafc} ux:pathfinder gateways`),
      /mdns +running.*mqtt 127\.0\.0\.1:1883 +running/s,
    );
    assert.is(await lab.run("kill -INT $sub; wait $sub; echo $?"), "0");
    assert.is(await lab.run("kill $pafd; wait $pafd; echo $?"), "0");
    assert.not.match(await lab.run("cat $D/pafd.log"), /^(WARNING|ERROR)/m);
  } finally {
    await lab.stop();
  }
});

test.run();
