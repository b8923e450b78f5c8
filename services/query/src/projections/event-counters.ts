import type { KeyFold, Projection } from './projection.ts';

class Counter implements KeyFold {
  #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  add(): void {
    this.#count += 1;
  }

  print(): string {
    return `{"count":${this.#count}}`;
  }
}

/** The number of events of each type: key = event type, state = {"count": N}. */
export const eventCounters: Projection = {
  number: 2,
  name: 'event_counters',
  kind: 'event_counter',
  title: 'Event counters',
  description: 'Counts events by type.',
  keyedBy: 'type',
  keyOf: (event) => event.type,
  isFirstOfKey: () => false,
  open: (stored) => new Counter(storedCount(stored?.state ?? null)),
};

function storedCount(state: string | null): number {
  return state === null ? 0 : (JSON.parse(state) as { readonly count: number }).count;
}
