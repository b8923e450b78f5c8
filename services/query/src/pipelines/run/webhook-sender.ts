/**
 * Delivers what a pipeline puts out to webhooks: each output at least once, with an id that stays the same. A delivery leaves the outbox when its receiver has answered
 * with a status from 200 to 299. Otherwise it is tried again with pauses that double, each a little longer or shorter by chance so that many do not come
 * at once, and in the end it is put among the dead letters. Several deliveries are under way at the same time, so their order is not kept.
 */
import type { Clock } from '@allsource/shared/model';
import { LIMITS } from '@allsource/shared/limits';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import { destinationsOf, type WebhookOutput } from '../definition/output-definition.ts';
import { OutboundFault, type OutboundRequests } from '../outbound/outbound-requests.ts';
import { deliveryHeaders, deliveryId } from './delivery.ts';
import type { Delivery, Outbox } from './outbox.ts';

const DELAY_MS_MAX = 3_600_000;
/** By how much of itself a pause is made longer at most. */
const JITTER = 0.2;
/** Bytes of an answer that are read; the rest says nothing. */
const ANSWER_BYTES = 4_096;
/** A timer cannot wait longer. */
const TIMER_MS_MAX = 60_000;
/** How long is waited when the file cannot be used. */
const BROKEN_MS = 1_000;

export interface WebhookSenderOptions {
  readonly pipeline: Pipeline;
  readonly outbox: Outbox;
  readonly requests: OutboundRequests;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told when something has left the outbox. */
  readonly onSettled: () => void;
}

export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #fault: string | null = null;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  /** Why the last delivery did not succeed; null when it did. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Delivers what is due. */
  wake(): void {
    if (this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      this.#beginDue();
      this.#wakeLater();
    } catch (error) {
      this.#noteBroken(error);
    }
  }

  #beginDue(): void {
    if (this.#underWay.size >= LIMITS.webhooksAtOnceMax) return;
    const wanted = LIMITS.webhooksAtOnceMax + this.#underWay.size;
    const due = this.#options.outbox.dueDeliveries(this.#nowMs, wanted);
    for (const delivery of due) this.#begin(delivery);
  }

  /** The file cannot be used, such as on a full disk. It is tried again. */
  #noteBroken(error: unknown): void {
    this.#fault = error instanceof Error ? error.message : String(error);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = setTimeout(() => this.wake(), BROKEN_MS);
  }

  /** Takes no more deliveries and waits for those under way. The caller ends their requests. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all(this.#underWay.values());
  }

  get #nowMs(): number {
    return this.#options.clock.nowMicros() / 1_000;
  }

  #begin(delivery: Delivery): void {
    const id = deliveryId(this.#options.pipeline, delivery);
    if (this.#underWay.has(id) || this.#underWay.size >= LIMITS.webhooksAtOnceMax) return;
    const ended = this.#deliver(delivery, id).then(
      () => this.#end(id),
      (error: unknown) => {
        this.#underWay.delete(id);
        this.#noteBroken(error);
      },
    );
    this.#underWay.set(id, ended);
  }

  #end(id: string): void {
    this.#underWay.delete(id);
    this.wake();
  }

  #wakeLater(): void {
    const next = this.#options.outbox.nextDueMs();
    // What is under way is due as well, and wakes when it has ended.
    if (next === null || this.#underWay.size >= LIMITS.webhooksAtOnceMax) return;
    const waitMs = Math.min(
      TIMER_MS_MAX,
      Math.max(this.#underWay.size > 0 ? 50 : 1, next - this.#nowMs),
    );
    this.#timer = setTimeout(() => this.wake(), waitMs);
  }

  async #deliver(delivery: Delivery, id: string): Promise<void> {
    const { outbox, onSettled } = this.#options;
    const webhook = this.#webhookOf(delivery.route);
    if (webhook === null) return outbox.bury(delivery, 'The definition has no such webhook.');
    this.#fault = await this.#try(delivery, { id, webhook });
    // A process that ends has not delivered: it tries again when it is back.
    if (this.#fault === null) outbox.settle([delivery], 'delivered');
    else if (this.#isClosed) return;
    else if (delivery.attempts + 1 >= webhook.attempts) outbox.bury(delivery, this.#fault);
    else outbox.postpone(delivery, { dueMs: this.#again(delivery, webhook), error: this.#fault });
    onSettled();
  }

  /** Why a try did not succeed; null when it did. */
  async #try(
    { body }: Delivery,
    { id, webhook }: { readonly id: string; readonly webhook: WebhookOutput },
  ): Promise<string | null> {
    const nowSeconds = Math.floor(this.#nowMs / 1_000);
    const headers = deliveryHeaders(body, { id, secret: webhook.secret, nowSeconds });
    try {
      const { status } = await this.#options.requests.send({
        url: new URL(webhook.url),
        method: 'POST',
        headers,
        body,
        bytesMax: ANSWER_BYTES,
        isCut: true,
      });
      return status >= 200 && status < 300 ? null : `The webhook answered ${status}.`;
    } catch (error) {
      if (error instanceof OutboundFault) return error.message;
      throw error;
    }
  }

  #again({ attempts }: Delivery, { firstDelayMs }: WebhookOutput): number {
    const delayMs = Math.min(DELAY_MS_MAX, firstDelayMs * 2 ** attempts);
    return this.#nowMs + delayMs * (1 + JITTER * this.#options.random());
  }

  #webhookOf(route: string): WebhookOutput | null {
    const destination = destinationsOf(this.#options.pipeline.output).get(route);
    return destination?.kind === 'webhook' ? destination : null;
  }
}
