/** Where the lines of the interactive client come from. */

export const PROMPT = "> ";

export interface LineSource {
  /** Asks for the next line; resolves to `undefined` at the end of the input. One call at a time. */
  next(): Promise<string | undefined>;
  /** Runs `print`, which writes whole lines, so that they do not garble the line that is being typed. */
  around(print: () => void): void;
  /** Gives the input back as it was. */
  close(): void;
}
