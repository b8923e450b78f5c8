/** The log and everything that is folded from it: the part of core that knows no HTTP. */
import type { HttpMetrics, Logger } from '@allsource/service-kit/observability';
import type { Journal } from './append/journal.ts';
import type { CoreConfig } from './config/core-config.ts';
import { NatsFanOut } from './fan-out/nats-fan-out.ts';
import { registerFanOutMetrics } from './fan-out/fan-out-metrics.ts';
import { CommitFeed } from './feed/commit-feed.ts';
import { HeadPost } from './feed/head-post.ts';
import { LiveConnections } from './http/live-connections.ts';
import { CoreMetrics } from './observability/core-metrics.ts';
import { type OpenedJournal, openJournal } from './open-journal.ts';

const NOTHING_SEALED = { segments: 0, rawBytes: 0, sealedBytes: 0, failures: 0, waiting: 0 };
export interface LogParts extends OpenedJournal {
  readonly feed: CommitFeed;
  /** Null where the head is not posted. */
  readonly headPost: HeadPost | null;
  readonly connections: LiveConnections;
  readonly metrics: CoreMetrics;
  /** Null without NATS. */
  readonly fanOut: NatsFanOut | null;
}

/** Opens the log, recovers it and builds the folds. Throws a problem `log_damaged` when acknowledged data is damaged. */
export async function openLogParts(
  config: CoreConfig,
  logger: Logger,
  httpMetrics: HttpMetrics,
): Promise<LogParts> {
  const connections = new LiveConnections();
  const metrics = new CoreMetrics(httpMetrics, {
    head: () => journal.head,
    entities: () => journal.entities.totalEntityCount,
    events: () => journal.entities.totalEventCount,
    storageBytes: () => opened.storageBytes(),
    connections: () => connections.count,
    sealing: () => opened.sealing() ?? NOTHING_SEALED,
    isPoisoned: () => journal.poison !== null,
    isFull: () => journal.fullCause !== null,
  });
  const opened = await openJournal({
    config,
    logger,
    httpMetrics,
    onGroup: (group) => metrics.observeGroup(group),
    onWatermark: (watermark) => headPost?.post(watermark),
  });
  const { journal, systemStretches } = opened;
  if (!config.postHead) await HeadPost.withdraw(journal);
  const headPost = config.postHead ? await HeadPost.open({ log: journal, logger }) : null;
  const feed = new CommitFeed(journal, { systemStretches });
  const fanOut = startFanOut({ config, logger, httpMetrics, journal });
  return { ...opened, feed, headPost, connections, metrics, fanOut };
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
