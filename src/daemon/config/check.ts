/** `pafd --check FILE`: everything that is wrong with a file, and whether what it names is there. Opens no socket. */

import { inOrder, readConfigText } from "./config.js";
import { ConfigError, type ConfigProblem, problemLine } from "./config-error.js";
import { checkFiles, type LooseFileWithPaths } from "./file-checks.js";
import type { Reading } from "./schema-reader.js";

export interface CheckResult {
  readonly good: boolean;
  /** `FILE: OK`, or a line for each problem; a warning is a line before that. */
  readonly lines: readonly string[];
}

/** `read` gives the file's text or throws a `ConfigError`. */
export function checkConfig(fileName: string, read: (fileName: string) => string): CheckResult {
  let reading: Reading;
  try {
    reading = readConfigText(read(fileName), fileName);
  } catch (e) {
    if (e instanceof ConfigError) return { good: false, lines: e.lines };
    throw e;
  }
  const warnings: ConfigProblem[] = [];
  const warn = (path: string, message: string) =>
    warnings.push({ path, line: reading.lineOf(path), message: `warning: ${message}` });
  checkFiles((reading.value ?? {}) as LooseFileWithPaths, (path, message) => reading.report(path, message), warn);
  const good = reading.problems.length === 0;
  const lines = inOrder([...reading.problems, ...warnings]).map((problem) => problemLine(fileName, problem));
  return { good, lines: good ? [...lines, `${fileName}: OK`] : lines };
}
