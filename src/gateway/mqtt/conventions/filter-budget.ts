/** Subscriptions that may still be made, over all conventions; and who waits for one. */

export class FilterBudget {
  private readonly waiting = new Set<() => void>();

  constructor(private count: number) {}

  get left(): number {
    return this.count;
  }

  take(count: number): void {
    this.count -= count;
  }

  /** Those who wait are called one after the other, each once, while there is anything left. */
  give(count: number): void {
    this.count += count;
    for (const retry of this.waiting) {
      if (this.count <= 0) return;
      this.waiting.delete(retry);
      retry();
    }
  }

  /** `retry` takes what it wants, and waits again if that is not enough. */
  wait(retry: () => void): void {
    this.waiting.add(retry);
  }

  forget(retry: () => void): void {
    this.waiting.delete(retry);
  }
}
