#!/usr/bin/env node
/** `npx pathfinder-edge-addon`: compiles the addon of an installed package, for ux addresses and for pafd; or again. */
import { buildAddon, say } from "./setup.mjs";

say(`${await buildAddon()} is current`);
