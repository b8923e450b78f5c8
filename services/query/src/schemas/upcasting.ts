/**
 * Payloads in the form of a newer version of their schema, for reads that ask for it with `upcast=`. The registry of schemas is folded from core's log beside the event
 * history; a read waits for it as it waits for the history, so an upcaster works for every read that begins after it was accepted.
 *
 * What cannot be upcast is never passed on as it was stored: in a list the event says so in place of its payload, and where one event is the answer, or all are
 * folded into one, the answer is `upcast_failed`.
 */
import {
  type AskedUpcast,
  failureMembers,
  parseUpcast,
  type Upcast,
  type Upcasts,
} from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import type { Parameters } from '@allsource/shared/protocol';
import type { StoredEvent } from '../history/event-history.ts';
import type { ReadGate, ReadWish } from '../reads/read-gate.ts';

/** What a read asks for with `upcast=`. Throws `invalid_parameter`. */
export function askedUpcast(query: Parameters): AskedUpcast {
  return parseUpcast(query.text('upcast'));
}

export interface UpcastingOptions {
  readonly upcasts: Upcasts;
  /** The gate of reads of the schemas. */
  readonly gate: ReadGate;
}

export class Upcasting {
  readonly #options: UpcastingOptions;

  constructor(options: UpcastingOptions) {
    this.#options = options;
  }

  /** Waits until the registry is as new as the read asks for. */
  async begin(asked: NonNullable<AskedUpcast>, wish: ReadWish): Promise<UpcastReading> {
    const { upcasts, gate } = this.#options;
    await gate.pass(wish);
    return new UpcastReading((event) => upcasts.upcast(event, asked.target));
  }
}

/** Begins to upcast for a read that asks for it; null for one that does not. Throws `not_available` where nothing can be upcast. */
export async function beginUpcast(
  upcasting: Upcasting | undefined,
  { upcast, wish }: { readonly upcast: AskedUpcast; readonly wish: ReadWish },
): Promise<UpcastReading | null> {
  if (upcast === null) return null;
  if (upcasting !== undefined) return await upcasting.begin(upcast, wish);
  throw problem('not_available', 'Payloads cannot be upcast here.');
}

/** Upcasts the payloads of one answer. */
export class UpcastReading {
  readonly #upcast: (event: StoredEvent) => Upcast | Promise<Upcast>;
  #failures = 0;

  constructor(upcast: (event: StoredEvent) => Upcast | Promise<Upcast>) {
    this.#upcast = upcast;
  }

  /** Events that could not be upcast so far. */
  get failures(): number {
    return this.#failures;
  }

  /** The payload of an event in the form asked for, or why it cannot be; at once, where no function is among the steps. */
  of(event: StoredEvent): Upcast | Promise<Upcast> {
    const upcast = this.#upcast(event);
    return upcast instanceof Promise ? this.#later(upcast) : this.#counted(upcast);
  }

  async #later(upcast: Promise<Upcast>): Promise<Upcast> {
    return this.#counted(await upcast);
  }

  #counted(upcast: Upcast): Upcast {
    if (upcast.kind === 'failed') this.#failures += 1;
    return upcast;
  }

  /** The same where a failure is the end of the answer. Throws `upcast_failed`. */
  async required(event: StoredEvent): Promise<Exclude<Upcast, { kind: 'failed' }>> {
    const upcast = await this.of(event);
    if (upcast.kind !== 'failed') return upcast;
    const { detail, ...members } = failureMembers(upcast.failure);
    throw problem('upcast_failed', `Event ${event.id} at position ${event.position}: ${detail}`, {
      event_id: event.id,
      position: event.position,
      event_type: event.type,
      ...members,
    });
  }

  /** The bytes of a payload in the form asked for. Throws `upcast_failed`. */
  async payload(event: StoredEvent): Promise<Buffer> {
    const upcast = await this.required(event);
    return upcast.kind === 'same' ? event.payload() : Buffer.from(upcast.payload);
  }
}
