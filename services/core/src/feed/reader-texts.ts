/**
 * The JSON texts of events on their way to one reader: as they are stored, or, where it asked with `upcast=`, with their payloads in the form of another version of their
 * schema. What cannot be brought there is null and says why; a reader never gets a form that it did not ask for.
 *
 * Schemas are folded before their change is acknowledged, so the newest version is the one at the moment the event is sent: a stream that stays open over the
 * registration of a version goes on with that one.
 */
import { setImmediate } from 'node:timers/promises';
import { TURN_MS } from '@allsource/service-kit/turns';
import {
  type AskedUpcast,
  parseUpcast,
  type Upcast,
  type Upcasts,
  type UpcastTarget,
  versionMembers,
} from '@allsource/schemas/upcasting';
import {
  eventMembersJson,
  type FrameEvent,
  type Parameters,
  positionedEventJson,
} from '@allsource/shared/protocol';
import { LiveFrame } from './live-frame.ts';
import { textMessage } from './text-message.ts';

export interface ReaderTexts {
  /** Events that could not be upcast so far; null where nothing is to be upcast. */
  readonly failures: number | null;
  /** An event without position, as live WebSocket clients get it. */
  bare(event: FrameEvent): string | Promise<string>;
  /** The same as a WebSocket message. */
  message(event: FrameEvent): Buffer | Promise<Buffer>;
  /** An event with its position as the first member. */
  positioned(event: FrameEvent): string | Promise<string>;
}

export const STORED_TEXTS: ReaderTexts = {
  failures: null,
  bare: (event) => LiveFrame.of(event.frame).text(event),
  message: (event) => LiveFrame.of(event.frame).message(event),
  positioned: positionedEventJson,
};

/** Reads what a reader asks for. Throws `invalid_parameter`. */
export function askedTexts(query: Parameters, upcasts: Upcasts): ReaderTexts {
  const asked: AskedUpcast = parseUpcast(query.text('upcast'));
  return asked === null ? STORED_TEXTS : new UpcastTexts(upcasts, asked.target);
}

class UpcastTexts implements ReaderTexts {
  readonly #upcasts: Upcasts;
  readonly #target: UpcastTarget;
  #failures = 0;
  #turnBeganAt = performance.now();

  constructor(upcasts: Upcasts, target: UpcastTarget) {
    this.#upcasts = upcasts;
    this.#target = target;
  }

  get failures(): number {
    return this.#failures;
  }

  async bare(event: FrameEvent): Promise<string> {
    return `{${await this.#members(event)}}`;
  }

  async message(event: FrameEvent): Promise<Buffer> {
    return textMessage(await this.bare(event));
  }

  async positioned(event: FrameEvent): Promise<string> {
    return `{"position":${event.position},${await this.#members(event)}}`;
  }

  async #members(event: FrameEvent): Promise<string> {
    const upcast = await this.#upcast(event);
    if (upcast.kind === 'failed') this.#failures += 1;
    return eventMembersJson(event, payloadText(event, upcast)) + versionMembers(upcast);
  }

  async #upcast(event: FrameEvent): Promise<Upcast> {
    if (performance.now() - this.#turnBeganAt > TURN_MS) {
      await setImmediate();
      this.#turnBeganAt = performance.now();
    }
    const { frame, type, position, payload, metadata } = event;
    const asked = {
      tenant: frame.tenant,
      type,
      position,
      payload: () => payload,
      metadata: () => metadata,
    };
    return await this.#upcasts.upcast(asked, this.#target);
  }
}

function payloadText({ payload }: FrameEvent, upcast: Upcast): string {
  if (upcast.kind === 'same') return payload.toString('utf8');
  return upcast.kind === 'upcast' ? upcast.payload : 'null';
}
