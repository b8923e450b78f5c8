/** The log and everything that is folded from it: the part of core that knows no HTTP. */
import { randomInt } from 'node:crypto';
import { AccessDirectory } from '@allsource/shared/access';
import { systemClock } from '@allsource/shared/model';
import type { HttpMetrics, Logger } from '@allsource/service-kit/observability';
import type { CommitBuilder } from './append/commit-builder.ts';
import { Journal } from './append/journal.ts';
import { SequencingBuilder } from './append/sequencing-builder.ts';
import type { CoreConfig } from './config/core-config.ts';
import { ConsumerFold } from './consumers/consumer-fold.ts';
import { NatsFanOut } from './fan-out/nats-fan-out.ts';
import { registerFanOutMetrics } from './fan-out/fan-out-metrics.ts';
import { CommitFeed } from './feed/commit-feed.ts';
import { KernelBuilder } from './ingest-kernel/kernel-builder.ts';
import { loadIngestKernel } from './ingest-kernel/load-kernel.ts';
import { LiveConnections } from './http/live-connections.ts';
import { CoreMetrics } from './observability/core-metrics.ts';
import { openLogStore } from './open-log-store.ts';
import { ProjectionStateFold } from './projection-state/projection-state-fold.ts';

const NOTHING_SEALED = { segments: 0, rawBytes: 0, sealedBytes: 0, failures: 0, waiting: 0 };
/** Random bits of an event id, see shared/model/event-id.ts. */
const ID_RANDOM_LIMIT = 2 ** 22;

export interface LogParts {
  readonly journal: Journal;
  readonly directory: AccessDirectory;
  readonly consumers: ConsumerFold;
  readonly states: ProjectionStateFold;
  readonly feed: CommitFeed;
  readonly connections: LiveConnections;
  readonly metrics: CoreMetrics;
  readonly storageBytes: () => number;
  /** Null without NATS. */
  readonly fanOut: NatsFanOut | null;
}

/** Opens the log, recovers it and builds the folds. Throws a problem `log_damaged` when acknowledged data is damaged. */
export async function openLogParts(
  config: CoreConfig,
  logger: Logger,
  httpMetrics: HttpMetrics,
): Promise<LogParts> {
  const directory = new AccessDirectory();
  const consumers = new ConsumerFold();
  const states = new ProjectionStateFold();
  const connections = new LiveConnections();
  const { store, storageBytes, sealing } = openLogStore(config, logger);
  const metrics = new CoreMetrics(httpMetrics, {
    head: () => journal.head,
    entities: () => journal.entities.totalEntityCount,
    events: () => journal.entities.totalEventCount,
    storageBytes,
    connections: () => connections.count,
    sealing: () => sealing() ?? NOTHING_SEALED,
    isPoisoned: () => journal.poison !== null,
    isFull: () => journal.fullCause !== null,
  });
  const journal = await Journal.open({
    store,
    clock: systemClock,
    random,
    builder: createBuilder(config, logger),
    folds: [directory, consumers, states],
    onGroup: (group) => metrics.observeGroup(group),
  });
  const feed = new CommitFeed(journal);
  const fanOut = startFanOut({ config, logger, httpMetrics, journal });
  return {
    journal,
    directory,
    consumers,
    states,
    feed,
    connections,
    metrics,
    storageBytes,
    fanOut,
  };
}

function random(): number {
  return randomInt(ID_RANDOM_LIMIT);
}

function createBuilder({ batchEventsMax }: CoreConfig, logger: Logger): CommitBuilder {
  const kernel = loadIngestKernel(batchEventsMax);
  if (kernel !== null) return new KernelBuilder({ kernel, clock: systemClock });
  logger.warn('the ingest kernel is not built (npm run build); appends take the slower path');
  return new SequencingBuilder({ clock: systemClock, random });
}

interface FanOutParts {
  readonly config: CoreConfig;
  readonly logger: Logger;
  readonly httpMetrics: HttpMetrics;
  readonly journal: Journal;
}

function startFanOut({ config, logger, httpMetrics, journal }: FanOutParts): NatsFanOut | null {
  if (config.natsUrl === null) return null;
  const fanOut = new NatsFanOut({
    log: journal,
    natsUrl: config.natsUrl,
    publishEvents: config.natsEvents,
    logger,
  });
  registerFanOutMetrics(httpMetrics.registry, () => fanOut.status);
  fanOut.start();
  return fanOut;
}
