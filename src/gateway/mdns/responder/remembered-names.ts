/** Which names were taken instead of those that somebody else had: by service, so that each keeps its own. */

/** Further ones push out those that were used longest ago. */
const LIMIT = 4096;
/** The file with `LIMIT` names of the longest kind is smaller. */
export const NAMES_FILE_BYTES_LIMIT = 2_000_000;

interface Chosen {
  readonly wanted: string;
  readonly chosen: string;
}

export class RememberedNames {
  /** The one used longest ago stands first. */
  private readonly names = new Map<string, Chosen>();

  /** Called when there is something new to remember. */
  onChange: () => void = () => {};

  /** The name that `key` took the last time it wanted this one. */
  get(key: string, wanted: string): string | undefined {
    const known = this.names.get(key);
    if (known?.wanted !== wanted) return undefined;
    this.names.delete(key);
    this.names.set(key, known);
    return known.chosen;
  }

  set(key: string, wanted: string, chosen: string): void {
    const known = this.names.get(key);
    if (known ? known.wanted === wanted && known.chosen === chosen : wanted === chosen) return;
    this.names.delete(key);
    if (wanted !== chosen) this.names.set(key, { wanted, chosen });
    if (this.names.size > LIMIT) this.names.delete(this.names.keys().next().value as string);
    this.onChange();
  }

  toJson(): string {
    return `${JSON.stringify({ version: 1, names: Object.fromEntries(this.names) }, null, 1)}\n`;
  }

  /** Adds what a file holds. Throws if it is not what `toJson` writes. */
  load(json: string): void {
    const { version, names } = JSON.parse(json) as { version?: unknown; names?: unknown };
    if (version !== 1 || typeof names !== "object" || names === null) throw new Error("not a file of names, version 1");
    for (const [key, value] of Object.entries(names as Record<string, Partial<Chosen> | null>).slice(0, LIMIT)) {
      const { wanted, chosen } = value ?? {};
      if (typeof wanted === "string" && typeof chosen === "string") this.names.set(key, { wanted, chosen });
    }
  }
}
