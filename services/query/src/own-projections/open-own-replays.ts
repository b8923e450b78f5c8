import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import { systemClock } from '@allsource/shared/model';
import type { QueryConfig } from '../config/query-config.ts';
import type { ReadStores } from '../read-stores.ts';
import { ReplayRecords } from '../replay/replay-records.ts';
import { eventsToFold, type OwnProjections } from './own-projections.ts';
import { type OwnReplayRecord, OwnReplays } from './own-replays.ts';

export interface OpenOwnReplaysOptions {
  readonly config: Pick<QueryConfig, 'folder'>;
  readonly logger: Logger;
  readonly stores: ReadStores;
  readonly own: OwnProjections;
}

/** Opens the records of replays of own projections; a file that cannot be used is set aside. */
export function openOwnReplays({ config, logger, stores, own }: OpenOwnReplaysOptions): OwnReplays {
  const records = new ReplayRecords<OwnReplayRecord>({
    file: join(config.folder, 'own-replays.sqlite'),
    onSetAside: (reason) =>
      logger.warn({ reason }, 'the records of replays of own projections are set aside'),
  });
  return new OwnReplays({
    own,
    records,
    clock: systemClock,
    eventsToFold: (tenant, types) => eventsToFold(stores.catalog.tenant(tenant), types),
    head: () => stores.historyFollower.status.knownHead,
  });
}
