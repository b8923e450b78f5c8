import { isNativeError } from 'node:util/types';
import { version } from '@allsource/shared/model';
import type { SeededRandom } from '@allsource/testkit';
import type { Journal } from '../../src/append/journal.ts';
import type { WorldHistory, WorldRequest } from './world-history.ts';

const TENANTS = ['acme', 'globex'];
const ENTITIES = 5;
/** Answers that say that nothing of the request was stored. */
const SURELY_ABSENT = new Set(['storage_full', 'overloaded', 'conflict']);

/** What a client of the simulation did in one life of core. */
export interface ClientCounts {
  appended: number;
  replayed: number;
  conflicts: number;
  refused: number;
  unknown: number;
}

/** A client that appends, with conditions and keys at random, and sends again what it does not know the fate of. */
export class SimulatedClient {
  readonly #name: string;
  readonly #history: WorldHistory;
  readonly #random: SeededRandom;
  readonly #counts: ClientCounts;
  readonly #versions = new Map<string, number>();
  #unknown: WorldRequest[] = [];

  constructor(client: {
    readonly name: string;
    readonly history: WorldHistory;
    readonly random: SeededRandom;
    readonly counts: ClientCounts;
  }) {
    this.#name = client.name;
    this.#history = client.history;
    this.#random = client.random;
    this.#counts = client.counts;
  }

  /** How many requests it would have to send again to know their fate. */
  get unknownCount(): number {
    return this.#unknown.length;
  }

  /** Sends again what is unknown, then `count` requests, until core refuses everything or `isOver` says stop. */
  async run(journal: Journal, count: number, isOver: () => boolean): Promise<void> {
    const again = this.#unknown;
    this.#unknown = [];
    for (const request of again) {
      if (isOver() || !(await this.#send(journal, request))) this.#keepUnknown(request);
    }
    for (let i = 0; i < count && !isOver(); i++) {
      const request = this.#request();
      if (!(await this.#send(journal, request))) this.#keepUnknown(request);
    }
  }

  // What was sent without a key is never sent twice: its fate stays unknown.
  #keepUnknown(request: WorldRequest): void {
    if (request.key !== null && !this.#unknown.includes(request)) this.#unknown.push(request);
  }

  /** Sends a request; false when its fate is unknown. */
  async #send(journal: Journal, request: WorldRequest): Promise<boolean> {
    const history = this.#history;
    history.note(`${this.#name} sends ${request.number}`);
    const fate = await this.#fateOf(journal, request);
    history.note(`${this.#name} is told of ${request.number}: ${fate}`);
    if (!SURELY_ABSENT.has(fate)) request.isSurelyAbsent = false;
    if (fate === 'writer_poisoned') this.#counts.unknown += 1;
    if (fate === 'storage_full' || fate === 'overloaded') this.#counts.refused += 1;
    return fate !== 'writer_poisoned';
  }

  async #fateOf(journal: Journal, request: WorldRequest): Promise<string> {
    const { tenant, key } = request;
    try {
      const outcome = await journal.append({
        tenant,
        events: request.events.map(({ expectedVersion, ...event }) => ({
          ...event,
          type: 'order.placed',
          metadata: null,
          timestamp: null,
          expectedVersion: expectedVersion === null ? null : version(expectedVersion),
        })),
        idempotency: key === null ? null : { key, bodyDigest: digestOf(request) },
      });
      if (outcome.kind === 'conflict') {
        this.#noteConflict(request, outcome);
        return 'conflict';
      }
      this.#counts[outcome.isReplay ? 'replayed' : 'appended'] += 1;
      request.answer = Buffer.from(outcome.frame.bytes);
      for (const event of outcome.frame.events())
        this.#versions.set(`${tenant} ${event.entity}`, event.version);
      return `${outcome.frame.position} ${outcome.isReplay}`;
    } catch (thrown) {
      return codeOf(thrown);
    }
  }

  #noteConflict(
    { tenant, events }: WorldRequest,
    conflict: { readonly index: number; readonly current: number },
  ): void {
    this.#counts.conflicts += 1;
    const entity = events[conflict.index]?.entity ?? '';
    this.#versions.set(`${tenant} ${entity}`, conflict.current);
    this.#history.conflicts.push({ tenant, entity, current: conflict.current });
  }

  #request(): WorldRequest {
    const random = this.#random;
    const number = this.#history.requests.length;
    const tenant = random.pick(TENANTS);
    const payloadBytesMax = random.below(15) === 0 ? 9000 : 500;
    const entities = Array.from({ length: 1 + random.below(3) }, () => random.below(ENTITIES));
    const request: WorldRequest = {
      number,
      tenant,
      key: random.below(2) === 0 ? `key-${number}` : null,
      answer: null,
      isSurelyAbsent: true,
      events: entities.map((entity, i) => ({
        entity: `order-${entity}`,
        payload: Buffer.from(
          `{"r":${number},"i":${i},"x":"${'x'.repeat(random.below(payloadBytesMax))}"}`,
        ),
        expectedVersion:
          i === 0 && random.below(2) === 0
            ? (this.#versions.get(`${tenant} order-${entity}`) ?? 0)
            : null,
      })),
    };
    this.#history.requests.push(request);
    return request;
  }
}

function digestOf({ number }: WorldRequest): Buffer {
  return Buffer.from(String(number).padEnd(16));
}

function codeOf(thrown: unknown): string {
  if (isNativeError(thrown) && 'code' in thrown && typeof thrown.code === 'string')
    return thrown.code;
  throw thrown;
}
