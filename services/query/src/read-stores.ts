/**
 * What the query service keeps of the log, and how it is filled. Each store is followed on its own, from its own position: the keys in memory from
 * the first position at every start, the event history and the projections from where their files stand. So a slow or damaged store
 * holds up no other, and each is emptied alone when it does not fit core's log.
 *
 * Core may be away at the start. The followers begin as soon as the internal token is there and try until core answers; until each has caught
 * up once, the service is not ready and reads answer 503.
 */
import { join } from 'node:path';
import { SchemaFold } from '@allsource/schemas/registry';
import { Problem } from '@allsource/shared/errors';
import { systemClock } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { AccessSink } from '@allsource/service-kit/access';
import { awaitInternalToken } from '@allsource/service-kit/config';
import { createLogFollower, type FrameSink } from '@allsource/service-kit/feed';
import type { ReadinessCheck } from '@allsource/service-kit/http';
import { YoungCollector } from '@allsource/service-kit/lifecycle';
import type { Logger } from '@allsource/service-kit/observability';
import { Catalog } from './catalog/catalog.ts';
import { CatalogCheckpoints } from './catalog/catalog-checkpoints.ts';
import type { QueryConfig } from './config/query-config.ts';
import { DefinitionDirectory } from './definitions/definition-directory.ts';
import { SettledDefinitions } from './definitions/settled-definitions.ts';
import { SystemFolds } from './definitions/system-folds.ts';
import { Collecting } from './feed/collecting.ts';
import { GivingWay, isFarBehind } from './feed/giving-way.ts';
import { PendingFollower } from './feed/pending-follower.ts';
import { frameReader } from './feed/read-frames.ts';
import { BlockHistory } from './history/block-history.ts';
import { BlockThread } from './history/block/block-thread.ts';
import type { EventAnswers } from './http/event-pages.ts';
import type { FollowedStore } from './observability/query-metrics.ts';
import { BUILT_IN_PROJECTIONS } from './projections/built-in.ts';
import { ProjectionFolds } from './projections/projection-folds.ts';
import { ProjectionStore } from './projections/projection-store.ts';
import { AnswerCache } from './reads/answer-cache.ts';
import { ReplayRuns } from './replay/replay-runs.ts';
import type { SnapshotKind } from './snapshots/snapshot.ts';
import { SnapshotStore } from './snapshots/snapshot-store.ts';
import { Snapshotting } from './snapshots/snapshotting.ts';

const TOKEN_MISSING = 'The internal token is not there yet: core makes it at its first start.';
/** How long one look for the internal token takes; a stop waits no longer than this. */
const TOKEN_WAIT_MS = 500;

export interface ReadStoresOptions {
  readonly config: QueryConfig;
  readonly logger: Logger;
  readonly onFolded: (portion: {
    readonly frames: readonly Frame[];
    readonly eventCount: number;
    readonly durationMs: number;
  }) => void;
  readonly onReplayStep: (step: 'started' | 'completed' | 'failed') => void;
  readonly onSnapshotKept: (kind: SnapshotKind) => void;
}

interface Followed {
  readonly name: string;
  readonly sink: FrameSink;
  readonly follower: PendingFollower;
  readonly only?: 'system';
}

/** The secret of core's feed, as soon as it is there. */
interface InternalToken {
  value: string | null;
}

export class ReadStores {
  readonly access = new AccessSink();
  /** The schemas and upcasters of all tenants. */
  readonly schemas = new SchemaFold();
  /** The projections and pipelines of all tenants, and when they are to be carried out. */
  readonly definitions = new DefinitionDirectory();
  readonly settledDefinitions: SettledDefinitions;
  readonly catalog: Catalog;
  /** Answers kept of the history, which empties them when it is emptied. */
  readonly answers: EventAnswers;
  readonly history: BlockHistory;
  readonly projections: ProjectionFolds;
  readonly replays: ReplayRuns;
  readonly snapshotting: Snapshotting;
  readonly accessFollower: PendingFollower;
  readonly historyFollower: PendingFollower;
  readonly projectionFollower: PendingFollower;
  readonly #options: ReadStoresOptions;
  readonly #token: InternalToken;
  readonly #blockThread: BlockThread;
  readonly #projectionStore: ProjectionStore;
  readonly #followed: readonly Followed[];
  #starting: Promise<void> | null = null;
  #isClosed = false;

  private constructor(
    options: ReadStoresOptions,
    opened: Pick<ReadStores, 'history' | 'catalog' | 'answers'> & {
      readonly token: InternalToken;
      readonly snapshotStore: SnapshotStore;
      readonly blockThread: BlockThread;
    },
  ) {
    this.#options = options;
    this.#token = opened.token;
    this.#blockThread = opened.blockThread;
    this.history = opened.history;
    this.catalog = opened.catalog;
    this.answers = opened.answers;
    this.#projectionStore = openProjections(options);
    this.projections = new ProjectionFolds({
      store: this.#projectionStore,
      projections: BUILT_IN_PROJECTIONS,
      onFolded: options.onFolded,
      onSaveFailed: (error) => {
        options.logger.error({ err: error }, 'the projections could not be saved');
      },
    });
    this.replays = new ReplayRuns({
      folder: options.config.folder,
      projectionsFile: projectionsFile(options),
      eventsPerSecond: options.config.replayEventsPerSecond,
      folds: this.projections,
      clock: systemClock,
      logger: options.logger,
      onStep: options.onReplayStep,
    });
    const systemFolds = new SystemFolds(this);
    this.accessFollower = pending(systemFolds);
    this.settledDefinitions = new SettledDefinitions({
      directory: this.definitions,
      follower: this.accessFollower,
      logger: options.logger,
    });
    this.historyFollower = pending(this.history);
    const { historyFollower } = this;
    this.snapshotting = new Snapshotting({
      ...opened,
      store: opened.snapshotStore,
      everyEvents: options.config.snapshotEvents,
      ageMs: options.config.snapshotAgeSeconds * 1000,
      isBehind: () => isBehind(historyFollower),
      onKept: options.onSnapshotKept,
      clock: systemClock,
      logger: options.logger,
    });
    this.projectionFollower = pending(this.projections);
    const collector = new YoungCollector();
    this.#followed = [
      { name: 'access', sink: systemFolds, follower: this.accessFollower, only: 'system' },
      {
        name: 'history',
        sink: new Collecting({ sink: this.history, collector }),
        follower: this.historyFollower,
      },
      {
        name: 'projections',
        sink: new GivingWay({
          sink: new Collecting({ sink: this.projections, collector }),
          first: historyFollower,
        }),
        follower: this.projectionFollower,
      },
    ];
  }

  /** Opens the stores in the folder of the service. */
  static async open(options: ReadStoresOptions): Promise<ReadStores> {
    const { config, logger } = options;
    const catalog = new Catalog();
    const answers: EventAnswers = new AnswerCache(config.answerCacheBytes);
    const token: InternalToken = { value: null };
    const internalToken = () => token.value;
    const folder = join(config.folder, 'history');
    const warn = (facts: object, message: string) => logger.warn(facts, message);
    const snapshotStore = new SnapshotStore({
      file: join(config.folder, 'snapshots.sqlite'),
      logger,
    });
    const blockThread = new BlockThread();
    const history = await BlockHistory.open({
      folder,
      writeBlock: (job) => blockThread.write(job),
      blockEvents: config.blockEvents,
      cacheBytes: config.historyCacheBytes,
      logger,
      listeners: [catalog, answers, { rowsAdded: () => {}, emptied: () => snapshotStore.clear() }],
      checkpoints: new CatalogCheckpoints({ folder, catalog, warn }),
      readFrames: frameReader({ coreUrl: config.coreUrl, logger, internalToken }),
    });
    return new ReadStores(options, {
      history,
      catalog,
      answers,
      snapshotStore,
      token,
      blockThread,
    });
  }

  /** Begins to follow core, now or as soon as that is possible. */
  start(): void {
    this.#starting ??= this.#startFollowing();
  }

  /** When the projections were begun, in milliseconds since the epoch. */
  get projectionsCreatedMs(): number {
    return this.#projectionStore.createdMs;
  }

  /** For the metrics. */
  get followed(): FollowedStore[] {
    return this.#followed.map(({ name, follower }) => ({ name, status: () => follower.status }));
  }

  readinessChecks(): ReadinessCheck[] {
    const followed = this.#followed.map(({ name, follower }) => ({
      name,
      fault: () => followFault(follower),
    }));
    return [...followed, { name: 'history files', fault: () => this.history.fault }];
  }

  /** The secret of core's internal routes; null as long as it is not there. */
  get internalToken(): string | null {
    return this.#token.value;
  }

  /** Stops following, then closes the stores. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#starting;
    await Promise.all(this.#followed.map(({ follower }) => follower.close()));
    await this.settledDefinitions.close();
    await this.replays.close();
    await this.snapshotting.close();
    await this.history.close();
    await this.#blockThread.close();
    await this.projections.close();
    await this.#projectionStore.close();
  }

  async #startFollowing(): Promise<void> {
    const internalToken = await this.#internalToken();
    if (internalToken === null) return;
    this.#token.value = internalToken;
    const { config, logger } = this.#options;
    const { coreUrl, natsUrl } = config;
    for (const { sink, follower, only } of this.#followed) {
      const options = { coreUrl, natsUrl, internalToken, sink, logger, only };
      follower.follow(createLogFollower(options));
    }
    this.replays.start({ coreUrl, internalToken });
    this.snapshotting.start();
    this.settledDefinitions.start();
  }

  /** Waits for the token as long as the service runs; null when it stops first. */
  async #internalToken(): Promise<string | null> {
    const { config, logger } = this.#options;
    for (let looks = 0; !this.#isClosed; looks++) {
      try {
        return await awaitInternalToken(config, TOKEN_WAIT_MS);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'starting') throw error;
        if (looks === 0) logger.warn({ reason: error.message }, 'waiting for core');
      }
    }
    return null;
  }
}

function projectionsFile({ config }: ReadStoresOptions): string {
  return join(config.folder, 'projections.sqlite');
}

function openProjections(options: ReadStoresOptions): ProjectionStore {
  const { logger } = options;
  return new ProjectionStore({
    file: projectionsFile(options),
    nowMs: () => systemClock.nowMicros() / 1000,
    onSetAside: (reason) => {
      logger.warn({ reason }, 'the projections are set aside and computed again');
    },
  });
}

function pending(sink: FrameSink): PendingFollower {
  return new PendingFollower({ sink, missing: TOKEN_MISSING });
}

function followFault({ status }: PendingFollower): string | null {
  if (status.fault !== null) return status.fault;
  if (status.hasCaughtUp) return null;
  return `at position ${status.appliedPosition} of ${status.knownHead}`;
}

function isBehind(follower: PendingFollower): boolean {
  return !follower.status.hasCaughtUp || isFarBehind(follower);
}
