/**
 * The start-up hook: a JavaScript file of the operator's, called once with the running domains. It runs inside pafd,
 * with its rights; what it throws later, outside of the call, ends pafd like any bug of pafd's own.
 */

import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Directory } from "../core/directory-access.js";
import type { Logger } from "../core/log.js";
import { errorText } from "./config/config-file.js";

export interface HookDomain {
  readonly name: string | undefined;
  /** The addresses really bound. */
  readonly addresses: readonly string[];
  readonly directory: Directory;
}

export interface HookContext {
  readonly log: Logger;
  /** Of pafd. */
  readonly version: string;
}

/** What the file exports by default. It is awaited. */
export type Hook = (domains: readonly HookDomain[], context: HookContext) => unknown;

/** Why the hook could not be called, or did not end well; one line that names its file. */
export class HookError extends Error {
  override readonly name = "HookError";
}

/** Loads and calls the hook. Throws a `HookError`; its `cause` is what the hook threw. */
export async function runHook(fileName: string, domains: readonly HookDomain[], context: HookContext): Promise<void> {
  const hook = await loadHook(fileName);
  try {
    await hook(domains, context);
  } catch (e) {
    throw new HookError(`Hook '${fileName}' failed: ${reasonOf(e, fileName)}.`, { cause: e });
  }
}

async function loadHook(fileName: string): Promise<Hook> {
  let exported: { default?: unknown };
  try {
    accessSync(fileName, constants.R_OK);
  } catch (e) {
    throw new HookError(`Hook cannot be loaded: ${errorText(e)}: '${fileName}'.`, { cause: e });
  }
  try {
    // The bundle is CommonJS; this stays an import(), which loads modules of both kinds.
    exported = await import(pathToFileURL(resolve(fileName)).href);
  } catch (e) {
    const isModule = e instanceof SyntaxError && /export|import/.test(e.message);
    const advice = isModule ? " (a file with import or export has to be named .mjs)" : "";
    throw new HookError(`Hook '${fileName}' cannot be loaded: ${reasonOf(e, fileName)}${advice}.`, { cause: e });
  }
  const { default: direct } = exported;
  // A CommonJS file that a compiler made from `export default`.
  const hook = typeof direct === "object" ? (direct as { default?: unknown } | null)?.default : direct;
  if (typeof hook === "function") return hook as Hook;
  throw new HookError(`Hook '${fileName}' cannot be used: its default export is not a function.`);
}

/** The first line of what was thrown, with the line of the hook's file if the stack tells. */
function reasonOf(thrown: unknown, fileName: string): string {
  const [text] = String(thrown).split("\n");
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  // Modules appear in stacks as URLs, CommonJS files as paths.
  const names = [pathToFileURL(resolve(fileName)).href, resolve(fileName)];
  const [line] = names.flatMap((name) => /^\d+/.exec(stack.split(`${name}:`)[1] ?? "") ?? []);
  return line === undefined ? text : `${text} (line ${line})`;
}
