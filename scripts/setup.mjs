/** What `npm start`, `npm test` and `npm run build` share: make the packages, the addon and the bundle current. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
export const DIST = join(ROOT, "dist");

/** Where the headers of the addon are below node_modules/; an installed package has them in dist/include/. */
export const HEADERS = ["node-addon-api", "node-api-headers/include"];

/** Says what is being done, on standard error, so that the output of a command that follows stays clean. */
export const say = (text) => process.stderr.write(`setup: ${text}\n`);

/** Ends the process with a message that tells what to do. */
export function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}

/** A short text that changes whenever one of `parts` (texts or file contents) does. */
export function digestOf(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

/** The files below `folder`, as sorted paths relative to it. (The option `recursive` of readdir needs Node.js 18.17.) */
export function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(join(folder, entry.name)).map((name) => `${entry.name}/${name}`)
        : entry.isFile()
          ? entry.name
          : [],
    )
    .sort();
}

/** Makes `folder` if need be. Ends the process if files cannot be written there. */
function makeWritable(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    fail(
      `something has to be made, but ${error.path ?? folder} is not writable (${error.code}); run this as its owner`,
    );
  }
}

/** Runs `make` unless `stamp` says that it ran for this `digest` and all `products` are still there. */
export async function unlessCurrent(stamp, digest, products, make) {
  if ([stamp, ...products].every(existsSync) && readFileSync(stamp, "utf8") === digest) return;
  for (const file of [stamp, ...products]) makeWritable(dirname(file));
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

/** Installs the packages of package-lock.json unless they are there already. */
export async function installPackages() {
  const modules = join(ROOT, "node_modules");
  const lock = readFileSync(join(ROOT, "package-lock.json"));
  await unlessCurrent(join(modules, ".pathfinder-edge-packages"), digestOf([lock]), [modules], () => {
    say("installing packages (npm ci) …");
    const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    const { status, error } = spawnSync("npm", args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
    if (error?.code === "ENOENT") fail("npm is not installed; on Debian: apt install npm");
    if (status !== 0) fail("npm ci failed; is the npm registry reachable?");
  });
}

/**
 * Compiles the addon to `out` unless that is current. CXX, STRIP and PATHFINDER_EDGE_CXXFLAGS serve cross builds;
 * `extraFlags` serve the sanitizer builds of the tests.
 */
export async function buildAddon({ out = join(DIST, "pathfinder-edge.node"), extraFlags = [], strip = true } = {}) {
  const native = join(ROOT, "native");
  const inputs = readdirSync(native).sort();
  const sources = inputs.filter((name) => name.endsWith(".cc")).map((name) => join(native, name));
  const cxx = process.env.CXX ?? "g++";
  const flags = [
    ...["-std=c++17", "-Os", "-fPIC", "-shared", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
    ...["-Wall", "-Wextra", "-Wno-cast-function-type", "-D_FILE_OFFSET_BITS=64"],
    ...["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS", "-DNODE_GYP_MODULE_NAME=pathfinder_edge"],
    ...[...HEADERS.map((path) => join(ROOT, "node_modules", path)), join(DIST, "include")].map((path) => `-I${path}`),
    ...(process.env.PATHFINDER_EDGE_CXXFLAGS ?? "").split(" ").filter(Boolean),
    ...extraFlags,
  ];
  const stamp = join(ROOT, ".cache", `addon-${digestOf([out]).slice(0, 8)}`);
  const digest = digestOf([...inputs.map((name) => readFileSync(join(native, name))), cxx, flags.join(" ")]);
  await unlessCurrent(stamp, digest, [out], () => {
    say("compiling the addon …");
    const args = [...flags, ...sources, "-o", out, "-Wl,--gc-sections", "-Wl,-z,relro", "-Wl,-z,now"];
    const result = spawnSync(cxx, args, { encoding: "utf8" });
    if (result.error?.code === "ENOENT") {
      fail(`no C++ compiler: "${cxx}" is not installed; on Debian: apt install g++ (or name another one in CXX)`);
    }
    if (result.status !== 0) {
      const header = /fatal error: ([^ :]+): No such file/.exec(result.stderr)?.[1];
      process.stderr.write(result.stderr);
      fail(
        header ? `the header ${header} is missing; on Debian: apt install g++ libc6-dev` : "the addon did not compile",
      );
    }
    if (strip) spawnSync(process.env.STRIP ?? "strip", ["--strip-unneeded", out]); // without binutils it is only larger
  });
  return out;
}
