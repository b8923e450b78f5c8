import { join } from 'node:path';
import { type Environment, readSettings, requireSafeDevMode } from '@allsource/service-kit/config';

/** Reads core's settings. Throws a ConfigError that lists every fault. */
export function readCoreConfig(environment: Environment) {
  const settings = readSettings(
    [
      'dataDir',
      'host',
      'corePort',
      'queryUrl',
      'bootstrapApiKey',
      'bootstrapTenant',
      'devMode',
      'jwtSecret',
      'internalToken',
      'internalTokenFile',
      'natsUrl',
      'natsEvents',
      'storage',
      'segmentBytes',
      'busyPollMicros',
      'keepAwake',
      'postHead',
      'sealBytesPerSecond',
      'checkpointBytes',
      'partitionCount',
      'payloadBytesMax',
      'batchEventsMax',
      'bodyBytesMax',
      'stateBytesMax',
      'projectionsMax',
      'pipelinesMax',
      'emptyBearerStreams',
      'shutdownGraceMs',
      'logLevel',
    ],
    environment,
  );
  requireSafeDevMode(settings);
  return {
    ...settings,
    folder: join(settings.dataDir, 'core'),
    apiKeyFile: join(settings.dataDir, 'api-key'),
  };
}

export type CoreConfig = ReturnType<typeof readCoreConfig>;
