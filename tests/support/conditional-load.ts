import { SeededRandom } from '@allsource/testkit';
import { AnswerLostError, type CoreAnswer, type CoreProcess } from './core-process.ts';
import type { RegisterOperation } from './entity-register.ts';

const EVENTS_MAX = 3;
/** One in this many appends whose answer was lost is never sent again: its outcome stays unknown. */
const GIVE_UP_ONE_IN = 4;

export interface ConditionalLoadOptions {
  readonly core: CoreProcess;
  readonly clients: number;
  readonly entities: number;
  readonly seed: number;
  /** Begins each key and entity. */
  readonly name: string;
}

interface Attempt {
  readonly key: string;
  readonly entity: string;
  readonly expected: number;
  readonly count: number;
}

/**
 * Clients that race for the next version of a few entities. Each appends one to three events on condition of the version it knows, learns from every answer, and
 * notes when it called and when it was answered, on one counter for all.
 */
export class ConditionalLoad {
  /** What was done, by entity. */
  readonly operations = new Map<string, RegisterOperation[]>();
  readonly faults: string[] = [];
  answered = 0;
  readonly counts = { acknowledged: 0, conflict: 0, unknown: 0, replayed: 0 };
  readonly #options: ConditionalLoadOptions;
  /** The version that the clients believe an entity to have; they share it, as readers of one store would. */
  readonly #known = new Map<string, number>();
  #ticks = 0;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();
  #awaited: { readonly count: number; readonly resolve: () => void } | null = null;

  constructor(options: ConditionalLoadOptions) {
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

  /** Resolves when this many operations are answered in all. */
  async reach(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#awaited = { count, resolve };
      if (this.answered >= count) resolve();
    });
    await Promise.race([reached, this.#running]);
  }

  /** Begins nothing more and waits for what is under way. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #client(index: number): Promise<void> {
    const { seed, name, entities, clients } = this.#options;
    const random = new SeededRandom(seed * clients + index);
    for (let n = 0; !this.#isStopped && this.faults.length === 0; n++) {
      const entity = `${name}-${random.below(entities)}`;
      await this.#race(random, {
        key: `${name}-${index}-${n}`,
        entity,
        expected: this.#known.get(entity) ?? 0,
        count: 1 + random.below(EVENTS_MAX),
      });
    }
  }

  async #race(random: SeededRandom, attempt: Attempt): Promise<void> {
    const { core } = this.#options;
    const calledAt = ++this.#ticks;
    for (;;) {
      await core.up();
      const sentAt = ++this.#ticks;
      try {
        this.#take(attempt, { answer: await this.#send(attempt), calledAt, sentAt });
        return;
      } catch (error) {
        if (!(error instanceof AnswerLostError)) throw error;
        if (random.below(GIVE_UP_ONE_IN) > 0) continue;
        const outcome = { kind: 'unknown' } as const;
        this.#note(attempt, { calledAt, answeredAt: Number.POSITIVE_INFINITY, outcome });
        return;
      }
    }
  }

  #send({ key, entity, expected, count }: Attempt): Promise<CoreAnswer> {
    const events = Array.from({ length: count }, (_, index) => ({
      entity_id: entity,
      event_type: 'race.won',
      payload: { key, index },
      expected_version: expected + index,
    }));
    return this.#options.core.ask({
      method: 'POST',
      path: '/api/v1/events/batch',
      body: JSON.stringify({ events }),
      headers: { 'idempotency-key': key },
    });
  }

  #take(
    attempt: Attempt,
    result: { readonly answer: CoreAnswer; readonly calledAt: number; readonly sentAt: number },
  ): void {
    const { answer, calledAt, sentAt } = result;
    const answeredAt = ++this.#ticks;
    if (answer.headers['idempotent-replayed'] === 'true') this.counts.replayed += 1;
    if (answer.status === 200) {
      const versions = (answer.body.events as { version: number }[]).map(({ version }) => version);
      this.#note(attempt, { calledAt, answeredAt, outcome: { kind: 'acknowledged', versions } });
      this.#learn(attempt.entity, versions.at(-1) ?? 0);
    } else if (answer.status === 409 && answer.body.error === 'version_conflict') {
      const current = answer.body.current_version as number;
      // The version was read by the last try; an earlier one that was lost stored nothing, or its key would be known.
      this.#note(attempt, { calledAt: sentAt, answeredAt, outcome: { kind: 'conflict', current } });
      this.#learn(attempt.entity, current);
    } else {
      this.faults.push(`${attempt.key} was answered ${answer.status}: ${answer.text}`);
    }
  }

  #learn(entity: string, version: number): void {
    this.#known.set(entity, Math.max(version, this.#known.get(entity) ?? 0));
  }

  #note(
    { key, entity, expected, count }: Attempt,
    result: Pick<RegisterOperation, 'calledAt' | 'answeredAt' | 'outcome'>,
  ): void {
    const operations = this.operations.get(entity) ?? [];
    operations.push({ key, expected, count, ...result });
    this.operations.set(entity, operations);
    this.counts[result.outcome.kind] += 1;
    this.answered += 1;
    if (this.#awaited !== null && this.answered >= this.#awaited.count) this.#awaited.resolve();
  }
}
