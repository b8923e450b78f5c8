import { type FrameEvent, TypeFilter } from '@allsource/shared/protocol';

/** What a live reader wants to see. All conditions that are set must hold. */
export interface EventFilterOptions {
  readonly types?: TypeFilter;
  readonly exactType?: string | null;
  readonly entities?: readonly string[];
}

/** A filter over the events of one tenant. */
export class EventFilter {
  readonly #types: TypeFilter;
  readonly #exactType: string | null;
  readonly #entities: ReadonlySet<string>;
  /** Everything passes; then not even the type is read. */
  readonly #isOpen: boolean;

  constructor(options: EventFilterOptions = {}) {
    this.#types = options.types ?? new TypeFilter([]);
    this.#exactType = options.exactType ?? null;
    this.#entities = new Set(options.entities ?? []);
    this.#isOpen = this.#types.isAll && this.#exactType === null && this.#entities.size === 0;
  }

  /** True when the event passes. */
  matches(event: FrameEvent): boolean {
    if (this.#isOpen) return true;
    const { type } = event;
    if (this.#exactType !== null && type !== this.#exactType) return false;
    if (!this.#types.matches(type)) return false;
    return this.#entities.size === 0 || this.#entities.has(event.entity);
  }
}
