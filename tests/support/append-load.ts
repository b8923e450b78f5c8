/**
 * Clients that append without pause, each request with a key of its own. When an answer is lost they wait until core is up and send the same bytes with
 * the same key, as a careful client does, so every append ends acknowledged and what the log holds can be held against what was acknowledged.
 */
import type { Frame } from '@allsource/shared/protocol';
import { AnswerLostError, type CoreAnswer, type CoreProcess } from './core-process.ts';
import { type KeyedAppend, keyedAppend } from './keyed-append.ts';
import { LogAudit } from './log-audit.ts';

/** What core has promised with an answer. */
export interface Acknowledgement {
  readonly key: string;
  readonly eventIds: readonly string[];
  readonly versions: readonly number[];
  /** Known for single appends. */
  readonly position: number | null;
}

export interface AppendLoadOptions {
  readonly core: CoreProcess;
  readonly clients: number;
  /** Begins each key. */
  readonly name: string;
}

/** Reads an answer of status 200. */
export function acknowledgementOf(append: KeyedAppend, { body }: CoreAnswer): Acknowledgement {
  const events: { event_id: string; version: number }[] = body.events ?? [body];
  return {
    key: append.key,
    eventIds: events.map(({ event_id }) => event_id),
    versions: events.map(({ version }) => version),
    position: body.position ?? null,
  };
}

/** Sends an append with its key. */
export function sendAppend(core: CoreProcess, append: KeyedAppend): Promise<CoreAnswer> {
  const { key, path, body } = append;
  return core.ask({ method: 'POST', path, body, headers: { 'idempotency-key': key } });
}

/** An audit that also compares each stored event with the one that was sent under the key, byte for byte. */
export function auditOfKeyedAppends(paddingOf: (key: string) => number = () => 0): LogAudit {
  const audit: LogAudit = new LogAudit((frame, key) => {
    if (!isAsSent(frame, keyedAppend(key, paddingOf(key))))
      audit.faults.push(`the events of key ${key} are not what was sent`);
  });
  return audit;
}

function isAsSent(frame: Frame, { events }: KeyedAppend): boolean {
  if (frame.eventCount !== events.length) return false;
  return events.every((sent, index) => {
    const { entity, type, payload, metadata } = frame.event(index);
    return (
      entity === sent.entity &&
      type === sent.type &&
      payload.equals(Buffer.from(sent.payload)) &&
      (metadata?.toString('utf8') ?? null) === sent.metadata
    );
  });
}

/** What was promised and is not in the log as promised; empty when all is well. */
export function brokenPromises(
  acknowledgements: Iterable<Acknowledgement>,
  { commits }: LogAudit,
): string[] {
  const broken: string[] = [];
  for (const { key, eventIds, versions, position } of acknowledgements) {
    const found = commits.get(key);
    if (found === undefined) broken.push(`${key} was acknowledged and is lost`);
    else if (
      String(found.eventIds) !== String(eventIds) ||
      String(found.versions) !== String(versions) ||
      (position !== null && found.position !== position)
    )
      broken.push(`${key} was acknowledged with another place than it has`);
  }
  return broken;
}

export class AppendLoad {
  readonly acknowledged: Acknowledgement[] = [];
  /** Answers that no acknowledged append should get. */
  readonly faults: string[] = [];
  acknowledgedEvents = 0;
  lostAnswers = 0;
  /** Retries that found the first try stored. */
  replays = 0;
  readonly #options: AppendLoadOptions;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();
  #awaited: { readonly count: number; readonly resolve: () => void } | null = null;

  constructor(options: AppendLoadOptions) {
    this.#options = options;
  }

  start(): void {
    const clients = Array.from({ length: this.#options.clients }, (_, index) =>
      this.#client(index),
    );
    this.#running = Promise.all(clients);
    // A failure shows in `reach` or `finish`, whichever is waited for next.
    this.#running.catch(() => undefined);
  }

  async #client(index: number): Promise<void> {
    for (let n = 0; !this.#isStopped && this.faults.length === 0; n++)
      await this.#append(keyedAppend(`${this.#options.name}-${index}-${n}`));
  }

  async #append(append: KeyedAppend): Promise<void> {
    const { core } = this.#options;
    for (;;) {
      await core.up();
      try {
        const answer = await sendAppend(core, append);
        if (isStopping(answer)) continue;
        this.#take(append, answer);
        return;
      } catch (error) {
        if (!(error instanceof AnswerLostError)) throw error;
        this.lostAnswers += 1;
      }
    }
  }

  #take(append: KeyedAppend, answer: CoreAnswer): void {
    if (answer.status !== 200) {
      this.faults.push(`${append.key} was answered ${answer.status}: ${answer.text}`);
      return;
    }
    if (answer.headers['idempotent-replayed'] === 'true') this.replays += 1;
    this.acknowledged.push(acknowledgementOf(append, answer));
    this.acknowledgedEvents += append.events.length;
    if (this.#awaited !== null && this.acknowledged.length >= this.#awaited.count)
      this.#awaited.resolve();
  }

  /** Resolves when this many appends are acknowledged in all. */
  async reach(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#awaited = { count, resolve };
      if (this.acknowledged.length >= count) resolve();
    });
    await Promise.race([reached, this.#running]);
  }

  /** Begins no further append and waits until those under way are acknowledged. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

/** A core that is told to stop refuses what still arrives. */
function isStopping({ status, body }: CoreAnswer): boolean {
  return status === 503 && body.code === 'shutting_down';
}
