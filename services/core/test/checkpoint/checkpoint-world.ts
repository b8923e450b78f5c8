/**
 * Core without HTTP on a log in memory, with clients that append, retry, conflict, register and acknowledge at random, and a disk that is full now and then. It
 * is opened again from the whole log or from a checkpoint, and says all that it knows, so that the two can be compared.
 */
import { AccessDirectory } from '@allsource/shared/access';
import { micros, type Position, position, version } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { SeededRandom } from '@allsource/testkit';
import type { CommitBuilder, PlacementEvent } from '../../src/append/commit-builder.ts';
import { Journal, type JournalSnapshot } from '../../src/append/journal.ts';
import { SequencingBuilder } from '../../src/append/sequencing-builder.ts';
import { ConsumerFold } from '../../src/consumers/consumer-fold.ts';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { ProjectionStateFold } from '../../src/projection-state/projection-state-fold.ts';
import type { SavedState } from '../../src/storage/checkpoint-port.ts';
import type {
  LogHead,
  LogStore,
  ReplayOnOpen,
  StoreAppendOutcome,
} from '../../src/storage/log-store.ts';
import { MemoryLog, MemoryLogStore } from '../../src/storage/memory-log-store.ts';
import { testKernel } from '../support/test-kernel.ts';
import type { Stretch } from '../../src/storage/stretch.ts';

const START = 1_790_000_000_000_000;
const TENANTS = ['default', 'other', 'térritory'];
const ENTITIES = 300;

/** A memory store that is told when the disk is full. */
class FullableStore implements LogStore {
  readonly #inner: MemoryLogStore;
  readonly #isFull: () => boolean;

  constructor(log: MemoryLog, isFull: () => boolean) {
    this.#inner = new MemoryLogStore(log);
    this.#isFull = isFull;
  }

  open(replay?: ReplayOnOpen): Promise<LogHead> {
    return this.#inner.open(replay);
  }

  async append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    await Promise.resolve();
    if (this.#isFull()) return { kind: 'full', cause: new RangeError('ENOSPC') };
    return this.#inner.append(frames);
  }

  read(from: Position): AsyncIterable<Stretch> {
    return this.#inner.read(from);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

export type BuilderName = 'kernel' | 'typescript';

export interface OpenCore {
  readonly journal: Journal;
  readonly directory: AccessDirectory;
  readonly consumers: ConsumerFold;
  readonly states: ProjectionStateFold;
}

export class CheckpointWorld {
  readonly random: SeededRandom;
  readonly log = new MemoryLog({ logId: Buffer.from('ck-world') });
  readonly counts = { appended: 0, refused: 0, conflicts: 0, replays: 0 };
  readonly keys: { tenant: string; key: string; body: string }[] = [];
  readonly #builder: BuilderName;
  /** Of a hundred groups, so many find the disk full. */
  fullPercent = 0;
  #now = START;
  #serial = 0;

  constructor(seed: number, builder: BuilderName) {
    this.random = new SeededRandom(seed);
    this.#builder = builder;
  }

  async open(saved: SavedState | null = null): Promise<OpenCore> {
    const clock = { nowMicros: () => micros(this.#now) };
    const directory = new AccessDirectory();
    const consumers = new ConsumerFold();
    const states = new ProjectionStateFold();
    const builder: CommitBuilder =
      this.#builder === 'kernel'
        ? new KernelBuilder({ clock, kernel: testKernel() })
        : new SequencingBuilder({ clock, random: () => 7 });
    const store = new FullableStore(this.log, () => this.random.below(100) < this.fullPercent);
    const folds = [directory, consumers, states];
    const journal = await Journal.open({ store, clock, random: () => 7, builder, folds, saved });
    return { journal, directory, consumers, states };
  }

  /** Starts some appends; what they come to is counted when the promise resolves. */
  async act(core: OpenCore, actions: number): Promise<void> {
    const running: Promise<unknown>[] = [];
    for (let i = 0; i < actions; i++) running.push(this.#counted(this.#one(core)));
    await Promise.all(running);
  }

  async #counted(outcome: Promise<'appended' | 'replays' | 'conflicts'>): Promise<void> {
    try {
      this.counts[await outcome] += 1;
    } catch {
      this.counts.refused += 1;
    }
  }

  async #one({ journal }: OpenCore): Promise<'appended' | 'replays' | 'conflicts'> {
    const { random } = this;
    this.#now += random.below(2000) - 500;
    if (random.below(4) === 0) {
      await this.#system(journal);
      return 'appended';
    }
    const known = this.keys[random.below(this.keys.length + 1)];
    const isRetry = known !== undefined && random.below(4) === 0;
    const tenant = isRetry ? known.tenant : random.pick(TENANTS);
    const named = isRetry ? known : this.#freshKey(tenant);
    const outcome = await journal.append({
      tenant,
      events: Array.from({ length: 1 + random.below(8) }, () => this.#event()),
      idempotency:
        named === null ? null : { key: named.key, bodyDigest: Buffer.from(named.body.padEnd(16)) },
    });
    if (outcome.kind === 'conflict') return 'conflicts';
    if (named !== null && !isRetry && !outcome.isReplay) this.keys.push(named);
    return outcome.isReplay ? 'replays' : 'appended';
  }

  #freshKey(tenant: string) {
    if (this.random.below(2) === 0) return null;
    const serial = this.#serial++;
    return { tenant, key: `key-${serial}`, body: `body-${serial}` };
  }

  #event(): PlacementEvent {
    const { random } = this;
    return {
      type: random.pick(['a', 'order.placed', `t${random.below(30)}`]),
      entity: `entity-${random.below(ENTITIES)}`,
      payload: Buffer.from(`{"n":${random.below(1000)}}`),
      metadata: null,
      timestamp: null,
      expectedVersion: random.below(10) === 0 ? version(random.below(3)) : null,
    };
  }

  async #system(journal: Journal): Promise<void> {
    const { random } = this;
    const id = String(random.below(20));
    const tenant = random.pick(TENANTS);
    const event = random.pick([
      {
        type: '_system.consumer.registered',
        payload: { consumer_id: id, event_type_filters: random.pick([[], ['a', 'order.*']]) },
      },
      {
        type: '_system.consumer.acknowledged',
        payload: { consumer_id: id, position: random.below(1 + journal.head) },
      },
      {
        type: '_system.projection_state.saved',
        payload: { projection: `p${random.below(3)}`, entity_id: id, state: { n: 1 } },
      },
      { type: '_system.tenant.created', payload: { id: `tenant-${id}`, name: 'A tenant' } },
      { type: '_system.api_key.revoked', payload: { id } },
      {
        type: '_system.api_key.created',
        payload: {
          id,
          name: id,
          key_hash: `hash-${id}`,
          key_prefix: 'x',
          tenant_id: tenant,
          role: 'admin',
          expires_at: random.pick([null, '2031-01-01T00:00:00Z']),
        },
      },
    ] as const);
    await journal.appendSystem(tenant, [{ entity: `thing:${id}`, event }]);
  }

  /** Everything that core knows of its log, in an order that does not depend on how it came to know it. */
  async knowledge(core: OpenCore): Promise<unknown> {
    const { entities } = core.journal;
    const { fullPercent } = this;
    this.fullPercent = 0;
    const knowledge = {
      head: core.journal.head,
      totals: [entities.totalEntityCount, entities.totalEventCount],
      tenants: TENANTS.map((tenant) => [
        entities.entityCount(tenant),
        entities.eventCount(tenant),
        entities.eventTypeCount(tenant),
        ...Array.from({ length: ENTITIES }, (_, i) => entities.entityHead(tenant, `entity-${i}`)),
      ]),
      folds: [core.directory, core.consumers, core.states].map((fold) =>
        sortedText(Buffer.concat([...fold.save()]).toString()),
      ),
      keys: await Promise.all(this.keys.map((named) => this.#firstPosition(core, named))),
    };
    this.fullPercent = fullPercent;
    return knowledge;
  }

  async #firstPosition(
    { journal }: OpenCore,
    { tenant, key, body }: { tenant: string; key: string; body: string },
  ): Promise<string> {
    const bodyDigest = Buffer.from(body.padEnd(16));
    const outcome = await journal.append({
      tenant,
      events: [this.#event()],
      idempotency: { key, bodyDigest },
    });
    return outcome.kind === 'appended' && outcome.isReplay ? `${outcome.frame.position}` : 'lost';
  }
}

// Maps may have come to their order in two ways; what they hold is the same then.
function sortedText(json: string): string {
  return json
    .split(/(?=[[{])/u)
    .toSorted()
    .join('');
}

/** A snapshot whose parts are drawn while others append: `between` is called before each part. */
export function interrupted(snapshot: JournalSnapshot, between: () => void): JournalSnapshot {
  function* parts(all: Iterable<Buffer>): Generator<Buffer> {
    for (const part of all) {
      const copy = Buffer.from(part);
      between();
      yield copy;
    }
  }
  return {
    ...snapshot,
    sections: snapshot.sections.map((section) => ({ ...section, parts: parts(section.parts) })),
  };
}

export function anchorOf(log: MemoryLog) {
  return {
    logId: log.head.logId,
    position: position(log.head.position),
    checksum: log.head.checksum,
  };
}
