/** Stops and goes on as the shell wants (Ctrl-Z, SIGTSTP, `fg`), and gives the terminal back meanwhile. */

export class JobControl {
  private pending: NodeJS.Immediate | undefined;

  constructor(
    private readonly giveBack: () => void,
    /** Also after a SIGSTOP, which nobody can see coming: shells put the terminal's settings back then. */
    private readonly takeAgain: () => void,
  ) {}

  open(): void {
    process.on("SIGTSTP", this.onStop);
    process.on("SIGCONT", this.onContinue);
  }

  /** Twice is harmless. */
  close(): void {
    process.off("SIGTSTP", this.onStop);
    process.off("SIGCONT", this.onContinue);
    clearImmediate(this.pending);
  }

  /** What Ctrl-Z does on a terminal that reads lines: everything that runs in its foreground stops. */
  stopAll(): void {
    this.stop(0);
  }

  private stop(pid: number): void {
    this.giveBack();
    process.off("SIGTSTP", this.onStop);
    process.kill(pid, "SIGTSTP");
    // Where nobody could continue us the signal has no effect, and SIGCONT does not come. If it does, it is heard between
    // these two.
    this.pending = setImmediate(() => {
      this.pending = setImmediate(this.onContinue);
    });
  }

  private readonly onStop = () => this.stop(process.pid);

  private readonly onContinue = (): void => {
    clearImmediate(this.pending);
    process.off("SIGTSTP", this.onStop);
    process.on("SIGTSTP", this.onStop);
    this.takeAgain();
  };
}
