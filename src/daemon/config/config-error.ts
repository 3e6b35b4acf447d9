/** The one error of the configuration: every problem of a file, found in one pass. */

export interface ConfigProblem {
  /** The key as `domains[0].idle.max`; empty for the file as a whole. */
  readonly path: string;
  /** Counted from 1; 0 if the problem has no place in the text (the file cannot be read). */
  readonly line: number;
  /** What is wrong, with the value and what is accepted; without path and place. */
  readonly message: string;
}

/** A configuration that cannot be used. `message` has all `lines`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line per problem, see `problemLine`. */
  readonly lines: readonly string[];

  constructor(
    readonly fileName: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    const lines = problems.map((problem) => problemLine(fileName, problem));
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** `FILE:LINE: PATH: MESSAGE`. */
export function problemLine(fileName: string, { path, line, message }: ConfigProblem): string {
  // An unreadable file has the reference's text (pafd-and-pafc.md, 1.4), which names the file itself.
  if (line === 0) return message;
  return `${fileName}:${line}: ${path === "" ? "" : `${path}: `}${message}`;
}
