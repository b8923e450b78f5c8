/** A live stream of the gateway as a client reads it: every event so far, and the text of all of them. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { RunningStore } from './running-store.ts';

export type FollowedEvent = Readonly<Record<string, unknown>>;

export class Followed {
  readonly events: FollowedEvent[] = [];
  text = '';
  close: () => void = () => {};
  #onEvent: () => void = () => {};

  /** Opens `/api/v1/events/stream`; the replay of a consumer and what comes live are events alike. */
  static async overWebSocket(store: RunningStore, query: string): Promise<Followed> {
    const followed = new Followed();
    const url = `${store.url.replace('http', 'ws')}/api/v1/events/stream?${query}`;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${store.apiKey}` } });
    socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      const frame = JSON.parse(text) as FollowedEvent;
      if (frame['type'] === undefined) followed.#take(text, frame);
      else if (frame['type'] === 'replay') followed.#take(text, frame['event'] as FollowedEvent);
    });
    followed.close = () => socket.terminate();
    await once(socket, 'open');
    return followed;
  }

  /** Opens `/api/v1/events/sse`. */
  static async overEvents(store: RunningStore, query: string): Promise<Followed> {
    const followed = new Followed();
    const ending = new AbortController();
    followed.close = () => ending.abort();
    const response = await fetch(`${store.url}/api/v1/events/sse?${query}`, {
      headers: { authorization: `Bearer ${store.apiKey}` },
      signal: ending.signal,
    });
    followed.#read(response, ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
    return followed;
  }

  /** Resolves when so many events have come. */
  async until(count: number): Promise<void> {
    while (this.events.length < count)
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
  }

  async #read(response: Response, signal: AbortSignal): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      if (signal.aborted) return;
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block.split('\n').filter((line) => line.startsWith('data: '));
        const text = data.map((line) => line.slice(6)).join('\n');
        if (text !== '') this.#take(text, JSON.parse(text) as FollowedEvent);
      }
    }
  }

  #take(text: string, event: FollowedEvent): void {
    this.text += text;
    this.events.push(event);
    this.#onEvent();
  }
}
