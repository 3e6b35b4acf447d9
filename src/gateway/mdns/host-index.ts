/** Which instances are on which host, by the keys of their names: an address record names the host only. */

export class HostIndex {
  private readonly instances = new Map<string, Set<string>>();

  has(host: string): boolean {
    return this.instances.has(host);
  }

  instancesOn(host: string): Iterable<string> {
    return this.instances.get(host) ?? [];
  }

  /** An instance that was on some hosts is on others now, or on none. */
  move(instance: string, from: readonly string[], to: readonly string[]): void {
    for (const host of from) {
      const on = this.instances.get(host);
      on?.delete(instance);
      if (on?.size === 0) this.instances.delete(host);
    }
    for (const host of to) {
      const on = this.instances.get(host);
      if (on) on.add(instance);
      else this.instances.set(host, new Set([instance]));
    }
  }
}
