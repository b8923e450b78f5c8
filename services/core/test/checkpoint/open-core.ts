import { createLogger, HttpMetrics } from '@allsource/service-kit/observability';
import { readCoreConfig } from '../../src/config/core-config.ts';
import { type OpenedJournal, openJournal } from '../../src/open-journal.ts';

/** Opens what core keeps on a data folder, as core does. `checkpointBytes` 0: from the whole log, whatever checkpoints there are. */
export async function openCore(
  folder: string,
  { checkpointBytes }: { readonly checkpointBytes: number },
): Promise<OpenedJournal> {
  return openJournal({
    config: {
      ...readCoreConfig({ ALLSOURCE_DATA_DIR: folder, ALLSOURCE_SEGMENT_BYTES: String(2 ** 20) }),
      checkpointBytes,
    },
    logger: createLogger('core', 'silent'),
    httpMetrics: new HttpMetrics('test'),
    onGroup: () => undefined,
    onWatermark: () => undefined,
  });
}
