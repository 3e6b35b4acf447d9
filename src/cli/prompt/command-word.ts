/** What a typed line asks for: its command and the rest, taken apart as Python's `cmd` does, which the reference uses. */

export interface TypedCommand {
  /** Empty if the line does not begin with one. */
  readonly name: string;
  /** What follows, without blanks around it. */
  readonly rest: string;
  /** The whole line, without blanks around it. */
  readonly line: string;
}

/** A command ends where letters, digits and underscores do, so `services(a=b)` has an argument. `?` is short for help. */
export function parseTyped(line: string): TypedCommand {
  const text = line.trim();
  if (text.startsWith("?")) return { name: "help", rest: text.slice(1).trim(), line: text };
  const name = /^\w*/.exec(text)![0];
  return { name, rest: text.slice(name.length).trim(), line: text };
}
