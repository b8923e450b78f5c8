/**
 * Opens the journal with everything that is folded from the log, from the newest checkpoint that is any good. Each attempt has a store, a builder and folds of
 * its own: what an attempt that failed has folded is thrown away whole.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { AccessDirectory } from '@allsource/shared/access';
import { systemClock } from '@allsource/shared/model';
import type { HttpMetrics, Logger } from '@allsource/service-kit/observability';
import type { CommitBuilder } from './append/commit-builder.ts';
import { Journal, type JournalOptions } from './append/journal.ts';
import { SequencingBuilder } from './append/sequencing-builder.ts';
import { Checkpointer } from './checkpoint/checkpointer.ts';
import { CHECKPOINTS_FOLDER, CheckpointFolder } from './checkpoint/checkpoint-folder.ts';
import type { CheckpointListener, CheckpointNotice } from './checkpoint/checkpoint-notice.ts';
import type { StoredCheckpoint } from './checkpoint/stored-checkpoint.ts';
import type { CoreConfig } from './config/core-config.ts';
import { ConsumerFold } from './consumers/consumer-fold.ts';
import { DefinitionFold } from './definitions/definition-fold.ts';
import { SystemStretches } from './feed/system-stretches.ts';
import { KernelBuilder } from './ingest-kernel/kernel-builder.ts';
import { loadIngestKernel } from './ingest-kernel/load-kernel.ts';
import type { SealingStatus } from './log/sealing.ts';
import { CheckpointMetrics } from './observability/checkpoint-metrics.ts';
import { openLogStore } from './open-log-store.ts';
import { ProjectionStateFold } from './projection-state/projection-state-fold.ts';
import { SchemaFold } from '@allsource/schemas/registry';
import { NodeDisk } from './storage/node-disk.ts';

/** Random bits of an event id, see shared/model/event-id.ts. */
const ID_RANDOM_LIMIT = 2 ** 22;
const OWNER_ONLY = 0o600;

export interface OpenedJournal {
  readonly journal: Journal;
  readonly directory: AccessDirectory;
  readonly consumers: ConsumerFold;
  readonly states: ProjectionStateFold;
  readonly schemas: SchemaFold;
  readonly definitions: DefinitionFold;
  readonly systemStretches: SystemStretches;
  readonly storageBytes: () => number;
  /** What has become of sealing; null where there is none. */
  readonly sealing: () => SealingStatus | null;
  /** Null where no checkpoints are written. To be closed before the journal. */
  readonly checkpointer: Checkpointer | null;
}

export interface OpenJournalOptions {
  readonly config: CoreConfig;
  readonly logger: Logger;
  readonly httpMetrics: HttpMetrics;
  readonly onGroup: NonNullable<JournalOptions['onGroup']>;
  readonly onWatermark: NonNullable<JournalOptions['onWatermark']>;
}

/** Opens the journal. Throws a problem `log_damaged` when acknowledged data is damaged. */
export async function openJournal(options: OpenJournalOptions): Promise<OpenedJournal> {
  const { config, logger, httpMetrics } = options;
  if (config.storage === 'memory' || config.checkpointBytes === 0)
    return { ...(await attempt(options, null)), checkpointer: null };
  const metrics = new CheckpointMetrics(httpMetrics);
  const onNotice: CheckpointListener = (notice) => {
    count(metrics, notice);
    logNotice(logger, notice);
  };
  const disk = new NodeDisk(join(config.folder, CHECKPOINTS_FOLDER), { fileMode: OWNER_ONLY });
  const folder = new CheckpointFolder(disk, onNotice);
  const startedAt = performance.now();
  return folder.startFrom(async (saved) => {
    const opened = await attempt(options, saved);
    const lastBytes = saved?.bytes ?? 0;
    if (saved !== null) metrics.observeUsed({ position: saved.anchor.position, bytes: lastBytes });
    logger.info(
      {
        checkpoint: saved?.name ?? null,
        replayed: opened.journal.replayed,
        durationMs: Math.round(performance.now() - startedAt),
      },
      'the log is open',
    );
    const checkpointer = new Checkpointer({
      journal: opened.journal,
      folder,
      everyBytes: config.checkpointBytes,
      lastBytes,
      clock: systemClock,
      nowMs: () => performance.now(),
      onNotice,
    });
    return { ...opened, checkpointer };
  });
}

async function attempt(
  { config, logger, onGroup, onWatermark }: OpenJournalOptions,
  saved: StoredCheckpoint | null,
): Promise<Omit<OpenedJournal, 'checkpointer'>> {
  const directory = new AccessDirectory();
  const consumers = new ConsumerFold();
  const states = new ProjectionStateFold();
  const schemas = new SchemaFold();
  const definitions = new DefinitionFold();
  const systemStretches = new SystemStretches();
  const { store, storageBytes, sealing } = openLogStore(config, logger);
  const journal = await Journal.open({
    store,
    clock: systemClock,
    random,
    builder: createBuilder(config, logger),
    folds: [directory, consumers, states, schemas, definitions, systemStretches],
    saved,
    onGroup,
    onWatermark,
  });
  return {
    journal,
    directory,
    consumers,
    states,
    schemas,
    definitions,
    systemStretches,
    storageBytes,
    sealing,
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

function count(metrics: CheckpointMetrics, notice: CheckpointNotice): void {
  if (notice.kind === 'checkpoint_written') metrics.observeWritten(notice);
  else if (notice.kind === 'checkpoint_set_aside') metrics.countSetAside();
  else metrics.countFailed();
}

function logNotice(logger: Logger, notice: CheckpointNotice): void {
  if (notice.kind === 'checkpoint_written') {
    const { position, bytes, durationMs } = notice;
    logger.info({ position, bytes, durationMs: Math.round(durationMs) }, 'checkpoint written');
  } else if (notice.kind === 'checkpoint_set_aside') {
    const { name, reason } = notice;
    logger.warn({ name, reason }, 'a checkpoint cannot be used and is set aside; the log is whole');
  } else
    logger.warn({ err: notice.cause }, 'no checkpoint was written; the next start takes longer');
}
