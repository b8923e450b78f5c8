import type { Setting } from './setting.ts';
import { SETTINGS } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
type SettingKey = keyof typeof SETTINGS;
type SettingValue<K extends SettingKey> = (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;

/** The start must stop: one line for every setting that is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The settings are not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

const OUR_PREFIX = 'ALLSOURCE_';
// Names that tests and tools of this repository read; no service does.
const FOREIGN_NAMES: ReadonlySet<string> = new Set([
  'ALLSOURCE_API_KEY',
  'ALLSOURCE_URL',
  'ALLSOURCE_BASE_URL',
]);
const FOREIGN_PREFIX = 'ALLSOURCE_TEST_';

/**
 * Reads the named settings. Throws one {@link ConfigError} with all faults: values that are not allowed, and names that begin
 * with ALLSOURCE_ and mean nothing. An empty text counts as not set.
 */
export function readSettings<K extends SettingKey>(
  keys: readonly K[],
  environment: Environment,
): { readonly [P in K]: SettingValue<P> } {
  const faults = unknownNames(environment);
  const entries = keys.map((key) => [
    key,
    readOne(SETTINGS[key] as Setting<unknown>, environment, faults),
  ]);
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.fromEntries(entries) as { readonly [P in K]: SettingValue<P> };
}

function readOne(setting: Setting<unknown>, environment: Environment, faults: string[]): unknown {
  const text = environment[setting.name];
  if (text === undefined || text === '') return setting.defaultValue;
  const read = setting.read(text);
  if (read.kind === 'value') return read.value;
  const shown = setting.isSecret ? '(a secret, not shown)' : JSON.stringify(text);
  faults.push(`${setting.name} is ${shown}; allowed: ${read.allowed}.`);
  return setting.defaultValue;
}

function unknownNames(environment: Environment): string[] {
  const known = new Set(Object.values(SETTINGS).map((setting) => setting.name));
  const faults: string[] = [];
  for (const name of Object.keys(environment)) {
    if (
      !name.startsWith(OUR_PREFIX) ||
      known.has(name) ||
      FOREIGN_NAMES.has(name) ||
      name.startsWith(FOREIGN_PREFIX)
    )
      continue;
    faults.push(
      `${name} is not a setting. Known names: ${[...known].filter((k) => k.startsWith(OUR_PREFIX)).join(', ')}.`,
    );
  }
  return faults;
}

/** The settings as a Markdown table, for the documentation. */
export function settingsTable(): string {
  const rows = Object.values(SETTINGS).map(
    (setting) => `| \`${setting.name}\` | ${setting.defaultText} | ${setting.description} |`,
  );
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}
