import { join } from 'node:path';
import { type Environment, readSettings, requireSafeDevMode } from '@allsource/service-kit/config';

/** Reads the control plane's settings. Throws a ConfigError that lists every fault. */
export function readControlPlaneConfig(environment: Environment) {
  const settings = readSettings(
    [
      'dataDir',
      'host',
      'controlPlanePort',
      'coreUrl',
      'queryUrl',
      'bootstrapTenant',
      'devMode',
      'jwtSecret',
      'internalToken',
      'internalTokenFile',
      'shutdownGraceMs',
      'logLevel',
    ],
    environment,
  );
  requireSafeDevMode(settings);
  return { ...settings, folder: join(settings.dataDir, 'control-plane') };
}

export type ControlPlaneConfig = ReturnType<typeof readControlPlaneConfig>;
