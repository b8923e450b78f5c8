import { ValidationError } from '@event-driven-io/emmett';

/** Emmett's event types by the type that the store knows, for those whose names are not to be derived. */
export type NamedEventTypes = Readonly<Record<string, string>>;

const STORE_TYPE = /^[a-z0-9_]+(?:\.[a-z0-9_]+)*$/;
const RESERVED = /^_system(?:\.|$)/;
const TYPE_BYTES_MAX = 128;

/**
 * The names of event types on both sides. Emmett's are free (`ShoppingCartOpened`); the store's are lower-case words joined by dots (`shopping.cart.opened`).
 *
 * The store's name is derived: a name that the store takes stays as it is; otherwise words begin at capitals, at spaces and at `-`, `:` and `/`, and whatever
 * else the store does not take is written as `_` and its code point. Since different names may meet in one (`APIKey`, `ApiKey`), Emmett's own name goes with
 * the event, in its metadata, and is what a read gives back. `named` fixes names for both directions, so that events of other clients get the
 * names that this application uses.
 */
export class EventTypes {
  readonly #toStore: ReadonlyMap<string, string>;
  readonly #toEmmett: ReadonlyMap<string, string>;

  /** Throws Emmett's `ValidationError` for a fixed name that the store would not take. */
  constructor(named: NamedEventTypes = {}) {
    const entries = Object.entries(named);
    for (const [emmettType, storeType] of entries) requireStoreType(emmettType, storeType);
    this.#toStore = new Map(entries);
    this.#toEmmett = new Map(entries.map(([emmettType, storeType]) => [storeType, emmettType]));
  }

  /** The store's name of a type. Throws Emmett's `ValidationError` when none can be derived: an empty type, or one over 128 bytes. */
  storeType(emmettType: string): string {
    const named = this.#toStore.get(emmettType);
    if (named !== undefined) return named;
    const storeType = derivedType(emmettType);
    requireStoreType(emmettType, storeType);
    return storeType;
  }

  /** Emmett's name of a stored type whose event does not say it. */
  emmettType(storeType: string): string {
    return this.#toEmmett.get(storeType) ?? storeType;
  }
}

function derivedType(emmettType: string): string {
  if (STORE_TYPE.test(emmettType)) return emmettType;
  return emmettType
    .replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '.')
    .replace(/[\s:/-]+/g, '.')
    .toLowerCase()
    .replace(/[^a-z0-9._]/gu, (character) => `_${character.codePointAt(0)?.toString(16)}`)
    .replace(/\.{2,}/g, '.')
    .replace(/^\.|\.$/g, '');
}

function requireStoreType(emmettType: string, storeType: string): void {
  const isTaken = STORE_TYPE.test(storeType) && !RESERVED.test(storeType);
  if (isTaken && storeType.length <= TYPE_BYTES_MAX) return;
  throw new ValidationError(
    `The event type '${emmettType}' cannot be stored as '${storeType}': allowed are lower-case letters, digits, '.' and '_', 1 to ${TYPE_BYTES_MAX} of them, not beginning with '_system'. Give it a name with 'eventTypes'.`,
  );
}
