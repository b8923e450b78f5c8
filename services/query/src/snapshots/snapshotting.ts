import type { Clock } from '@allsource/shared/model';
import type { Logger } from '@allsource/service-kit/observability';
import type { SnapshotKind } from './snapshot.ts';
import { SnapshotRuns } from './snapshot-runs.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { type SnapshotHistory, Snapshots } from './snapshots.ts';
import { type EntityCounts, Snapshotter, type WatchedHistory } from './snapshotter.ts';

export interface SnapshottingOptions {
  /** Closed with the rest. */
  readonly store: SnapshotStore;
  readonly history: SnapshotHistory & WatchedHistory;
  readonly catalog: EntityCounts;
  /** Events after which an entity has another snapshot by itself. Setting ALLSOURCE_SNAPSHOT_EVENTS. */
  readonly everyEvents: number;
  /** Setting ALLSOURCE_SNAPSHOT_AGE_S. */
  readonly ageMs: number;
  readonly isBehind: () => boolean;
  readonly onKept: (kind: SnapshotKind) => void;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Everything that takes, keeps and finds snapshots, wired together. */
export class Snapshotting {
  readonly snapshots: Snapshots;
  readonly runs: SnapshotRuns;
  readonly #snapshotter: Snapshotter;
  readonly #store: SnapshotStore;

  constructor(options: SnapshottingOptions) {
    this.#store = options.store;
    this.snapshots = new Snapshots(options);
    this.runs = new SnapshotRuns({ ...options, snapshots: this.snapshots });
    this.#snapshotter = new Snapshotter({ ...options, snapshots: this.snapshots });
  }

  /** Begins to take snapshots in the background. */
  start(): void {
    this.#snapshotter.start();
  }

  /** Ends what runs, and closes the store. */
  async close(): Promise<void> {
    await Promise.all([this.#snapshotter.close(), this.runs.close(), this.snapshots.idle()]);
    this.#store.close();
  }
}
