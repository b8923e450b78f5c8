import { resolve } from 'node:path';
import { chooseFreePort, requireFreePort } from '@allsource/service-kit/http';
import {
  ConfigError,
  type Environment,
  readSettings,
  requireSafeDevMode,
  SETTINGS,
} from '@allsource/service-kit/config';

export type ServiceName = 'core' | 'control-plane' | 'query';

/** What one start will do: where everything is, and the one environment that all services get. */
export interface LaunchPlan {
  readonly dataDir: string;
  readonly urls: Readonly<Record<ServiceName, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly bootstrapApiKey: string | null;
  readonly isDevMode: boolean;
  readonly shutdownGraceMs: number;
}

export interface PlanOptions {
  readonly environment: Environment;
  /** What a relative data folder is relative to. */
  readonly workingFolder: string;
}

type SettingKey = keyof typeof SETTINGS;

const PORTS: readonly { readonly service: ServiceName; readonly setting: SettingKey }[] = [
  { service: 'core', setting: 'corePort' },
  { service: 'control-plane', setting: 'controlPlanePort' },
  { service: 'query', setting: 'queryPort' },
];

/** Reads every setting of every service. Throws one {@link ConfigError} with all that is wrong. */
export function readLaunchSettings(environment: Environment) {
  const settings = readSettings(Object.keys(SETTINGS) as SettingKey[], environment);
  requireSafeDevMode(settings);
  return settings;
}

type LaunchSettings = ReturnType<typeof readLaunchSettings>;

/** The absolute data folder of these settings. */
export function dataFolder(settings: LaunchSettings, workingFolder: string): string {
  return resolve(workingFolder, settings.dataDir);
}

/** Settles ports, URLs and the environment of the services. Throws a {@link ConfigError} when a port cannot be used. */
export async function planLaunch(
  settings: LaunchSettings,
  options: PlanOptions,
): Promise<LaunchPlan> {
  const ports = await settlePorts(settings);
  const host = reachableHost(settings.host);
  const localUrl = (service: ServiceName) => `http://${host}:${ports[service]}`;
  const given = options.environment;
  const dataDir = dataFolder(settings, options.workingFolder);
  return {
    dataDir,
    urls: {
      core: localUrl('core'),
      'control-plane': localUrl('control-plane'),
      query: localUrl('query'),
    },
    environment: {
      ...definedValues(given),
      ALLSOURCE_DATA_DIR: dataDir,
      CORE_PORT: String(ports.core),
      CONTROL_PLANE_PORT: String(ports['control-plane']),
      QUERY_PORT: String(ports.query),
      CORE_URL: given['CORE_URL'] || localUrl('core'),
      CONTROL_PLANE_URL: given['CONTROL_PLANE_URL'] || localUrl('control-plane'),
      QUERY_URL: given['QUERY_URL'] || localUrl('query'),
    },
    bootstrapApiKey: settings.bootstrapApiKey,
    isDevMode: settings.devMode,
    shutdownGraceMs: settings.shutdownGraceMs,
  };
}

async function settlePorts(settings: LaunchSettings): Promise<Record<ServiceName, number>> {
  const ports: Record<ServiceName, number> = { core: 0, 'control-plane': 0, query: 0 };
  const settingByPort = new Map<number, string>();
  for (const { service, setting } of PORTS) {
    const { name } = SETTINGS[setting];
    const wanted = Number(settings[setting]);
    const other = settingByPort.get(wanted);
    if (wanted !== 0 && other !== undefined)
      throw new ConfigError([`${name} and ${other} are both ${wanted}. Give each its own port.`]);
    if (wanted === 0) ports[service] = await chooseFreePort(settings.host);
    else {
      await requireFreePort({ host: settings.host, port: wanted, portSetting: name });
      ports[service] = wanted;
    }
    settingByPort.set(ports[service], name);
  }
  return ports;
}

// An address that means "all of this machine's" is reached over loopback.
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function definedValues(environment: Environment): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined) defined[name] = value;
  }
  return defined;
}
