/** A command line that can not be carried out; `lines` say what is wrong and what is accepted. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  constructor(readonly lines: readonly string[]) {
    super(lines[0]);
  }
}
