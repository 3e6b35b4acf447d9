/** A site with a real mosquitto, ended after each test. */

import { Mosquitto, type MosquittoOptions, mosquittoSuite } from "../../../peers/mosquitto.js";
import { Site } from "./site.js";

/** A suite (`mosquittoSuite`), what each of its tests opened, and how to start a broker and a site with it. */
export function brokerSiteSuite(name: string) {
  const { test, check } = mosquittoSuite(name);
  const open: { end(): Promise<void> }[] = [];
  test.after.each(async () => {
    for (const one of open.splice(0).reverse()) await one.end();
  });

  async function start(options?: MosquittoOptions) {
    const mosquitto = await Mosquitto.started(options);
    open.push(mosquitto);
    const site = new Site();
    open.push(site);
    return { mosquitto, site, url: `mqtt://${mosquitto.host}:${mosquitto.port}` };
  }
  return { test, check, open, start };
}
