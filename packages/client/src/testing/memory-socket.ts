import { TypeFilter } from '@allsource/shared/protocol';
import type { WebSocketLike } from '../stream/web-socket.ts';
import type { MemoryConsumers } from './memory-consumers.ts';
import { type MemoryEvent, memoryEventJson, type MemoryLog } from './memory-log.ts';

type Listener = (event: { readonly data: unknown }) => void;

export interface MemorySocketOptions {
  readonly log: MemoryLog;
  readonly consumers: MemoryConsumers;
  readonly consumerId: string | null;
  readonly onClose: (socket: MemorySocket) => void;
}

/** A WebSocket to the in-memory store: the replay of a consumer, the word that it has caught up, then what comes. */
export class MemorySocket implements WebSocketLike {
  readonly #options: MemorySocketOptions;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #unsubscribe: () => void;
  #filter: TypeFilter;
  #sentPosition: number;
  #isClosed = false;

  constructor(options: MemorySocketOptions) {
    const { log, consumers, consumerId } = options;
    this.#options = options;
    this.#filter = consumerId === null ? new TypeFilter([]) : consumers.find(consumerId).filter;
    this.#sentPosition = log.head;
    this.#unsubscribe = log.onAppend(() => queueMicrotask(() => this.#sendLive()));
    setTimeout(() => this.#open(), 0);
  }

  addEventListener(type: string, listener: Listener | (() => void)): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    const frame = JSON.parse(text) as { readonly type?: unknown; readonly filters?: unknown };
    if (frame.type === 'subscribe' && Array.isArray(frame.filters))
      this.#filter = new TypeFilter(frame.filters.map(String));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#options.onClose(this);
    this.#emit('close');
  }

  #open(): void {
    if (this.#isClosed) return;
    const { consumers, consumerId, log } = this.#options;
    this.#emit('open');
    this.#sentPosition = log.head;
    if (consumerId === null) return;
    const missed = consumers.missed(consumerId);
    for (const event of missed)
      this.#emit(
        'message',
        `{"type":"replay","position":${event.position},"event":${memoryEventJson(event, false)}}`,
      );
    this.#emit('message', `{"type":"replay_complete","replayed":${missed.length}}`);
  }

  #sendLive(): void {
    if (this.#isClosed) return;
    const events: MemoryEvent[] = this.#options.log.events.slice(this.#sentPosition);
    this.#sentPosition = this.#options.log.head;
    for (const event of events)
      if (this.#filter.matches(event.type)) this.#emit('message', memoryEventJson(event, false));
  }

  #emit(type: string, data?: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ data });
  }
}
