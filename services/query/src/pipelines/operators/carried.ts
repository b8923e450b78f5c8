import type { JsonPath } from './json-path.ts';

/** What is known of the event behind an output. */
export interface Origin {
  readonly eventId: string;
  readonly eventType: string;
  readonly entityId: string;
  readonly position: number;
  /** When it happened, in microseconds since the epoch. */
  readonly timestamp: number;
}

/**
 * A value on its way through the operators: JSON text, and where it comes from. The text is parsed when a field is looked at and changed member by member, so
 * everything that no operator touches leaves with the bytes that the client sent.
 */
export class Carried {
  readonly text: string;
  readonly origin: Origin;
  /** Names its row in a table, as long as nothing else does: the entity, later the group or window. */
  readonly key: string;
  /** The entity it is about. */
  readonly entity: string;
  /** True for a value that no longer holds, such as that of a session that has become part of another one. Its row goes. */
  readonly isRetracted: boolean;
  #parsed: { readonly value: unknown } | null = null;

  constructor(
    fields: Pick<Carried, 'text' | 'origin' | 'key' | 'entity'> & {
      readonly isRetracted?: boolean;
    },
  ) {
    this.text = fields.text;
    this.origin = fields.origin;
    this.key = fields.key;
    this.entity = fields.entity;
    this.isRetracted = fields.isRetracted ?? false;
  }

  /** An event as it enters the first operator. */
  static ofEvent(text: string, origin: Origin): Carried {
    return new Carried({ text, origin, key: origin.entityId, entity: origin.entityId });
  }

  /** The value at a path; undefined where there is none. */
  at(path: JsonPath): unknown {
    this.#parsed ??= { value: JSON.parse(this.text) };
    return path.in(this.#parsed.value);
  }

  /** The same with other text. */
  with(text: string): Carried {
    const { origin, key, entity, isRetracted } = this;
    return new Carried({ text, origin, key, entity, isRetracted });
  }
}
