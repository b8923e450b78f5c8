import { must, unreachable } from '@allsource/shared/lang';
import { visitRawMembers } from '@allsource/shared/json';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type { FoldedEvent, JsonValue } from './compiled-projection.ts';
import { shownValue } from './definition-members.ts';
import type { EnvelopeField, FieldPath } from './field-path.ts';
import { projectionFault } from './projection-fault.ts';

/** The fields of one event. Payload and metadata are parsed when a field of them is first asked for. */
export class EventFields {
  readonly event: FoldedEvent;
  #payload: JsonValue | undefined;
  #metadata: JsonValue | undefined;

  constructor(event: FoldedEvent) {
    this.event = event;
  }

  /** The value at a path; undefined where there is none. */
  get(path: FieldPath): JsonValue | undefined {
    let value: JsonValue | undefined = this.#root(path.envelope);
    for (const name of path.names) {
      if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
      value = value[name];
    }
    return value;
  }

  /** The number at a path; null where there is none, or null. Throws a `projection_fault` for anything else. */
  number(path: FieldPath): number | null {
    const value = this.get(path) ?? null;
    if (value === null) return null;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    const shown = typeof value === 'number' ? 'a number beyond 1.8e308' : shownValue(value);
    throw projectionFault(`'${path.text}' is ${shown}; a number is needed.`, { field: path.text });
  }

  /** The value at a path as the JSON text that was sent; null where there is none. */
  text(path: FieldPath): string | null {
    const value = this.get(path);
    if (value === undefined) return null;
    const isSent = path.envelope === null || path.envelope === '$metadata';
    // Only numbers have several texts that a parse would not keep.
    if (!isSent || typeof value === 'string' || typeof value === 'boolean' || value === null)
      return JSON.stringify(value);
    const { payload, metadata } = this.event;
    const whole = path.envelope === null ? payload : must(metadata, 'a value of the metadata');
    return textWithin(whole, path.names);
  }

  #root(envelope: EnvelopeField | null): JsonValue {
    const { event } = this;
    if (envelope === null) return (this.#payload ??= JSON.parse(event.payload) as JsonValue);
    switch (envelope) {
      case '$id':
        return event.id;
      case '$event_type':
        return event.eventType;
      case '$entity_id':
        return event.entityId;
      case '$version':
        return event.version;
      case '$position':
        return event.position;
      case '$timestamp':
        return formatTimestamp(micros(event.timestamp));
      case '$metadata':
        return (this.#metadata ??= JSON.parse(event.metadata ?? 'null') as JsonValue);
      default:
        return unreachable(envelope);
    }
  }
}

function isObject(value: JsonValue | undefined): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textWithin(whole: string, names: readonly string[]): string {
  let text = whole;
  for (const name of names) {
    let found: string | null = null;
    // Of members with the same name the last counts, as in a parse.
    visitRawMembers(Buffer.from(text), (member, value) => {
      if (member === name) found = value;
    });
    text = must<string>(found, 'a path that leads to a value leads to its text');
  }
  return text;
}
