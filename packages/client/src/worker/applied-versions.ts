const ENTITIES_MAX = 100_000;

/**
 * The last version applied of each entity, of the 100,000 that had events last. It is what tells a repeated event where a server's ids do not
 * carry positions; with positions it is a second check.
 */
export class AppliedVersions {
  readonly #versions = new Map<string, number>();
  readonly #entitiesMax: number;

  constructor(entitiesMax: number = ENTITIES_MAX) {
    this.#entitiesMax = entitiesMax;
  }

  /** Notes an event; false when it, or a later one of its entity, was noted before. Version 0 says nothing. */
  note(entityId: string, version: number): boolean {
    if (version === 0) return true;
    const last = this.#versions.get(entityId);
    if (last !== undefined && version <= last) return false;
    // Deleted and set again, so that the Map's order is that of the last events.
    this.#versions.delete(entityId);
    this.#versions.set(entityId, version);
    if (this.#versions.size > this.#entitiesMax) this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#versions.keys()) {
      this.#versions.delete(oldest);
      return;
    }
  }
}
