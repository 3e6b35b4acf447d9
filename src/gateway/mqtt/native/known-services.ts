/**
 * The services of the directory as mirrors and queries see them: kept here, so that an answer needs no round trip and is
 * possible while the directory is out of reach. Each has a kind (the rule that chose it says which) and, for filters, a
 * binary record in which the kind is the property `k`.
 */

import { BlockStore } from "../../../core/blocks.js";
import type { Random } from "../../../core/clock.js";
import type { Directory, Match, ServiceState, Subscription } from "../../../core/directory-access.js";
import { evaluate, FilterCompiler, matches } from "../../../core/filter/program.js";
import { type Filter, parseFilter, printFilter } from "../../../core/filter/syntax.js";
import { PairHash } from "../../../core/pair-hash.js";
import type { Properties } from "../../../core/properties.js";
import { RecordBuilder, recordValues, recordWords } from "../../../core/record.js";
import type { Dropped } from "../../dropped.js";
import { expandTemplate } from "../../template.js";
import { NAME_PATTERN } from "../topics.js";
import { bothWorks, type FilterWork, stepsOver, workOf } from "./filter-work.js";

/** Which services are mirrored, and as what. The first rule that matches a service decides. */
export interface MirrorRule {
  /** In the directory's filter language. Default: every service. */
  readonly filter?: string;
  /** A template. Default: `${kind}`. */
  readonly kind?: string;
  /** Which properties come first, and so survive a cut. Default: see compact.ts. */
  readonly order?: readonly string[];
}

export const DEFAULT_KIND = `\${kind}`;

/** More are not kept: they are neither mirrored nor found. */
const MAX_SERVICES = 50_000;

export interface KnownService {
  readonly state: ServiceState;
  /** 16 lower-case hexadecimal digits. */
  readonly id: string;
  /** `undefined`: no name that a topic could have; found by queries only. */
  readonly kind: string | undefined;
  /** It is mirrored; `order` is that of its rule. */
  readonly mirrored: boolean;
  readonly order: readonly string[] | undefined;
}

export interface Finding {
  /** `undefined`: it would have taken too much work. */
  readonly services?: readonly KnownService[];
  /** The work that was done: see filter-work.ts. */
  readonly steps: number;
}

interface Kept {
  readonly service: KnownService;
  readonly block: number;
}

export interface KnownServicesOptions {
  readonly directory: Directory;
  readonly random: Random;
  readonly rules: readonly MirrorRule[];
  /** What devices may find by queries; `undefined`: there are no queries. `filter` absent: everything. */
  readonly queries: { readonly filter?: string } | undefined;
  readonly dropped: Dropped;
  readonly onChange: (before: KnownService | undefined, after: KnownService | undefined) => void;
}

export class KnownServices {
  private readonly kept = new Map<bigint, Kept>();
  private readonly store = new BlockStore();
  private readonly builder: RecordBuilder;
  private readonly compiler: FilterCompiler;
  private readonly rules: readonly { readonly rule: MirrorRule; readonly program: number | undefined }[];
  private readonly visible: number | undefined;
  private readonly visibleWork: FilterWork;
  private subscription: Subscription | undefined;

  /** Throws a `FilterSyntaxError` if a filter is none. */
  constructor(private readonly options: KnownServicesOptions) {
    const word = () => Math.floor(options.random() * 0x1_0000_0000) | 0;
    const hash = new PairHash(word(), word());
    this.builder = new RecordBuilder(hash);
    this.compiler = new FilterCompiler(this.store, hash);
    const compiled = (filter: string | undefined) =>
      filter === undefined ? undefined : this.compiler.compile(parseFilter(filter));
    this.rules = options.rules.map((rule) => ({ rule, program: compiled(rule.filter) }));
    const visible = options.queries?.filter;
    this.visible = compiled(visible);
    this.visibleWork = visible === undefined ? { perValue: 0, perByte: 0 } : workOf(parseFilter(visible));
  }

  get size(): number {
    return this.kept.size;
  }

  start(): void {
    this.subscription ??= this.options.directory.subscribe(this.scope(), (match) => this.heard(match));
  }

  stop(): void {
    this.subscription?.cancel();
    this.subscription = undefined;
  }

  all(): Iterable<KnownService> {
    return [...this.kept.values()].map(({ service }) => service);
  }

  /**
   * At most `max` of the services that queries may see and `filter` matches; in it, the key `k` is the kind. Nothing is
   * found if that takes more than `mostSteps`, which are not exceeded.
   */
  find(filter: Filter, max: number, mostSteps: number): Finding {
    const work = bothWorks(workOf(filter), this.visibleWork);
    const program = this.compiler.compile(filter);
    const services: KnownService[] = [];
    let steps = 0;
    let isCutOff = false;
    for (const { service, block } of this.kept.values()) {
      if (services.length === max) break;
      const [page, at] = [this.store.page(block), this.store.at(block)];
      steps += stepsOver(work, recordValues(page, at), recordWords(page, at) * 4);
      if (steps > mostSteps) {
        isCutOff = true;
        break;
      }
      if (this.visible !== undefined && !matches(this.store, this.visible, block)) continue;
      if (matches(this.store, program, block)) services.push(service);
    }
    this.compiler.release(program);
    return isCutOff ? { steps: mostSteps } : { services, steps };
  }

  /** What to ask the directory for: all that a rule or a query may be about. */
  private scope(): string | undefined {
    const { rules, queries } = this.options;
    const filters = [...rules, ...(queries ? [queries] : [])].map(({ filter }) => filter);
    if (filters.includes(undefined)) return undefined;
    const operands = filters.map((filter) => parseFilter(filter as string));
    return printFilter(operands.length === 1 ? operands[0] : { kind: "or", operands });
  }

  private heard(match: Match): void {
    const id = match.type === "disappeared" ? match.serviceId : match.service.id;
    const before = this.kept.get(id);
    if (before) this.release(before);
    const after = match.type === "disappeared" ? undefined : this.keep(match.service);
    // A service keeps its place: what was found first is found first again.
    if (after) this.kept.set(id, after);
    else this.kept.delete(id);
    if (before || after) this.options.onChange(before?.service, after?.service);
  }

  private release({ block }: Kept): void {
    this.store.release(block, recordWords(this.store.page(block), this.store.at(block)));
  }

  private keep(state: ServiceState): Kept | undefined {
    const { dropped } = this.options;
    const { properties } = state;
    // services about gateways themselves
    if (properties.get("src")?.some((source) => String(source).startsWith("gateway:"))) return undefined;
    if (this.kept.size >= MAX_SERVICES && !this.kept.has(state.id)) {
      dropped.add("too-many-services");
      return undefined;
    }
    const rule = this.ruleOf(properties);
    const kind = expandTemplate(rule?.kind ?? DEFAULT_KIND, properties);
    const legal = kind !== undefined && NAME_PATTERN.test(kind) ? kind : undefined;
    if (rule && legal === undefined) dropped.add(kind === undefined ? "no-kind" : "kind-is-no-name");
    this.builder.fromProperties(legal === undefined ? properties : new Map([...properties, ["k", [legal]]]));
    if (this.builder.tooLarge) {
      dropped.add("too-large");
      return undefined;
    }
    const block = this.store.store(this.builder.page, 0, recordWords(this.builder.page, 0));
    const id = state.id.toString(16).padStart(16, "0");
    const mirrored = rule !== undefined && legal !== undefined;
    return { service: { state, id, kind: legal, mirrored, order: rule?.order }, block };
  }

  private ruleOf(properties: Properties): MirrorRule | undefined {
    if (this.rules.length === 0) return undefined;
    this.builder.fromProperties(properties);
    if (this.builder.tooLarge) return undefined;
    const { page } = this.builder;
    return this.rules.find(({ program }) => {
      if (program === undefined) return true;
      return evaluate(this.store.page(program), this.store.at(program), page, 0);
    })?.rule;
  }
}
