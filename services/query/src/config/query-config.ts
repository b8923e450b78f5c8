import { join } from 'node:path';
import { type Environment, readSettings, requireSafeDevMode } from '@allsource/service-kit/config';

/** Reads the settings of the query service. Throws a ConfigError that lists every fault. */
export function readQueryConfig(environment: Environment) {
  const settings = readSettings(
    [
      'dataDir',
      'host',
      'queryPort',
      'coreUrl',
      'controlPlaneUrl',
      'bootstrapTenant',
      'devMode',
      'jwtSecret',
      'internalToken',
      'internalTokenFile',
      'natsUrl',
      'bodyBytesMax',
      'busyPollMicros',
      'keepAwake',
      'readWaitMs',
      'queryRowsMax',
      'queryMsMax',
      'answerCacheBytes',
      'historyCacheBytes',
      'blockEvents',
      'replayEventsPerSecond',
      'snapshotEvents',
      'snapshotAgeSeconds',
      'projectionHosts',
      'parquet',
      'parquetFlushEvents',
      'parquetFlushSeconds',
      'compactionAuto',
      'compactionSeconds',
      'compactionStrategy',
      'compactionFilesMin',
      'compactionTargetBytes',
      'compactionFileBytesMax',
      'compactionSmallBytes',
      'pipelineHttpHosts',
      'pipelinePrivateHosts',
      'shutdownGraceMs',
      'logLevel',
    ],
    environment,
  );
  requireSafeDevMode(settings);
  return { ...settings, folder: join(settings.dataDir, 'query') };
}

export type QueryConfig = ReturnType<typeof readQueryConfig>;
