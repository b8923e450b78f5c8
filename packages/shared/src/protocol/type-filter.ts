/**
 * Filters over event types, as consumers and subscriptions name them: an exact type, `order.*` or `order.` for every type below
 * `order.` (and `order.*` for `order` itself), `*` for all. No filters at all match every type.
 */
export class TypeFilter {
  readonly patterns: readonly string[];
  readonly #exact = new Set<string>();
  readonly #prefixes: string[] = [];
  #all: boolean;

  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.#all = patterns.length === 0;
    for (const pattern of patterns) this.#add(pattern);
  }

  /** A filter for the types that begin with one of the given texts; `x.*` means what it means elsewhere. */
  static ofPrefixes(prefixes: readonly string[]): TypeFilter {
    const filter = new TypeFilter(
      prefixes.filter((prefix) => prefix === '*' || prefix.endsWith('.*')),
    );
    const plain = prefixes.filter((prefix) => prefix !== '*' && !prefix.endsWith('.*'));
    filter.#prefixes.push(...plain);
    filter.#all = filter.patterns.includes('*') || prefixes.length === 0;
    return filter;
  }

  #add(pattern: string): void {
    if (pattern === '*') this.#all = true;
    else if (pattern.endsWith('.*')) {
      this.#exact.add(pattern.slice(0, -2));
      this.#prefixes.push(pattern.slice(0, -1));
    } else if (pattern.endsWith('.')) this.#prefixes.push(pattern);
    else this.#exact.add(pattern);
  }

  /** True when every type passes. */
  get isAll(): boolean {
    return this.#all;
  }

  /** True when an event of this type passes. */
  matches(type: string): boolean {
    return (
      this.#all || this.#exact.has(type) || this.#prefixes.some((prefix) => type.startsWith(prefix))
    );
  }
}
