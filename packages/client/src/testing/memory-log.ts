import { problem } from '@allsource/shared/errors';
import {
  formatEventId,
  formatTimestamp,
  type Micros,
  micros,
  position,
  writeEventId,
} from '@allsource/shared/model';
import { eventJsonPieces } from '@allsource/shared/protocol';
import type { MemoryDraft } from './memory-body.ts';

export const MEMORY_TENANT = 'default';

/** An event of the in-memory log. */
export interface MemoryEvent {
  readonly id: string;
  readonly type: string;
  readonly entity: string;
  readonly payload: string;
  readonly metadata: string | null;
  readonly timestamp: Micros;
  readonly recordedAt: Micros;
  readonly version: number;
  readonly position: number;
}

interface KeyRecord {
  readonly body: string;
  readonly events: readonly MemoryEvent[];
}

export interface MemoryAppend {
  readonly drafts: readonly MemoryDraft[];
  readonly now: Micros;
  /** What makes a repeated append the same: the key, and the route and body that it came with. */
  readonly idempotency: { readonly key: string; readonly body: string } | null;
}

/** The log of one tenant: append rules, positions and versions are those of core. */
export class MemoryLog {
  readonly #events: MemoryEvent[] = [];
  readonly #versions = new Map<string, number>();
  readonly #keys = new Map<string, KeyRecord>();
  readonly #listeners = new Set<() => void>();
  #recordedAt: Micros = micros(0);

  get events(): readonly MemoryEvent[] {
    return this.#events;
  }

  /** The position of the last event. */
  get head(): number {
    return this.#events.length;
  }

  versionOf(entity: string): number {
    return this.#versions.get(entity) ?? 0;
  }

  /** Calls back after each append; returns how to stop that. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Appends all or nothing. Throws `idempotency_key_reused` and `version_conflict`. */
  append({ drafts, now, idempotency }: MemoryAppend): {
    readonly events: readonly MemoryEvent[];
    readonly isReplay: boolean;
  } {
    const known = idempotency === null ? undefined : this.#keys.get(idempotency.key);
    if (known !== undefined && known.body === idempotency?.body)
      return { events: known.events, isReplay: true };
    if (known !== undefined)
      throw problem(
        'idempotency_key_reused',
        'This Idempotency-Key was used for another body. Use a new key for new events.',
      );
    this.#requireVersions(drafts);
    this.#recordedAt = micros(Math.max(this.#recordedAt, now));
    const events = drafts.map((draft) => this.#place(draft));
    if (idempotency !== null && events.length > 0)
      this.#keys.set(idempotency.key, { body: idempotency.body, events });
    for (const listener of this.#listeners) listener();
    return { events, isReplay: false };
  }

  #requireVersions(drafts: readonly MemoryDraft[]): void {
    const versions = new Map<string, number>();
    for (const [index, { entity, expectedVersion: expected }] of drafts.entries()) {
      const current = versions.get(entity) ?? this.versionOf(entity);
      if (expected !== null && expected !== current)
        throw problem(
          'version_conflict',
          `Event ${index} expects version ${expected}, but the entity is at version ${current}.`,
          { expected_version: expected, current_version: current, index },
        );
      versions.set(entity, current + 1);
    }
  }

  #place(draft: MemoryDraft): MemoryEvent {
    const version = this.versionOf(draft.entity) + 1;
    const at = this.#events.length + 1;
    const event: MemoryEvent = {
      id: idOf(at, this.#recordedAt),
      type: draft.type,
      entity: draft.entity,
      payload: draft.payload,
      metadata: draft.metadata,
      timestamp: draft.timestamp ?? this.#recordedAt,
      recordedAt: this.#recordedAt,
      version,
      position: at,
    };
    this.#versions.set(draft.entity, version);
    this.#events.push(event);
    return event;
  }
}

function idOf(at: number, recordedAt: Micros): string {
  const bytes = Buffer.alloc(16);
  const random = Math.floor(Math.random() * 2 ** 22);
  writeEventId(bytes, 0, {
    recordedAtMs: Math.floor(recordedAt / 1000),
    position: position(at),
    random,
  });
  return formatEventId(bytes, 0);
}

/** The JSON object of an event, bare or with its position. */
export function memoryEventJson(event: MemoryEvent, isPositioned: boolean): string {
  const pieces = eventJsonPieces({ ...event, tenant: MEMORY_TENANT });
  const { beforePayload, beforeMetadata, afterMetadata } = pieces;
  const head = isPositioned ? `"position":${event.position},` : '';
  return `{${head}${beforePayload}${event.payload}${beforeMetadata}${event.metadata ?? 'null'}${afterMetadata}}`;
}

/** What an append answers about an event. */
export function acknowledgement(event: MemoryEvent): object {
  return {
    event_id: event.id,
    timestamp: formatTimestamp(event.timestamp),
    version: event.version,
  };
}
