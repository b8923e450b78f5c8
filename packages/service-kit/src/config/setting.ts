/**
 * Settings come from the environment. A setting has a name, a kind that reads its text, a default and a sentence for the table in
 * the documentation. Reading is strict: a bad value, or a name of ours that nobody knows, stops the start.
 */

/** The result of reading one text: the value, or what is allowed instead. */
export type SettingRead<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'fault'; readonly allowed: string };

export interface Setting<T> {
  readonly name: string;
  readonly description: string;
  /** Shown in the documentation. */
  readonly defaultText: string;
  readonly defaultValue: T;
  /** True for values that must not be printed. */
  readonly isSecret: boolean;
  readonly read: (text: string) => SettingRead<T>;
}

interface SettingBase<T> {
  readonly name: string;
  readonly description: string;
  readonly defaultValue: T;
}

const value = <T>(v: T): SettingRead<T> => ({ kind: 'value', value: v });
const fault = (allowed: string): SettingRead<never> => ({ kind: 'fault', allowed });

function shownDefault(defaultValue: unknown): string {
  if (Array.isArray(defaultValue) && defaultValue.length === 0) return 'none';
  return defaultValue === null ? 'none' : JSON.stringify(defaultValue).replaceAll('"', '');
}

function setting<T>(base: SettingBase<T>, read: Setting<T>['read'], isSecret = false): Setting<T> {
  return { ...base, defaultText: shownDefault(base.defaultValue), isSecret, read };
}

/** Any text that is not empty. */
export function textSetting<D extends string | null>(base: SettingBase<D>): Setting<string | D> {
  return setting<string | D>(base, (text) =>
    text.trim() === '' ? fault('a text that is not empty') : value(text),
  );
}

/** A text that is never printed. At least `lengthMin` characters. */
export function secretSetting(
  base: SettingBase<null> & { readonly lengthMin: number },
): Setting<string | null> {
  const allowed = `a secret of at least ${base.lengthMin} characters`;
  return setting<string | null>(
    base,
    (text) => (text.length < base.lengthMin ? fault(allowed) : value(text)),
    true,
  );
}

/** A whole number from `min` to `max`. */
export function integerSetting(
  base: SettingBase<number> & { readonly min: number; readonly max: number },
): Setting<number> {
  const { min, max } = base;
  return setting<number>(base, (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max
      ? value(number)
      : fault(`a whole number from ${min} to ${max}`);
  });
}

/** A TCP port; 0 lets the system choose one. */
export function portSetting(base: SettingBase<number>): Setting<number> {
  return integerSetting({ ...base, min: 0, max: 65535 });
}

/** true or false, 1 or 0. */
export function flagSetting(base: SettingBase<boolean>): Setting<boolean> {
  return setting<boolean>(base, (text) => {
    const lower = text.toLowerCase();
    if (lower === 'true' || lower === '1') return value(true);
    return lower === 'false' || lower === '0' ? value(false) : fault('true, false, 1 or 0');
  });
}

/** A URL with one of the given schemes; a trailing slash is dropped. */
export function urlSetting<D extends string | null>(
  base: SettingBase<D> & { readonly schemes: readonly string[] },
): Setting<string | D> {
  const allowed = `a URL such as ${base.schemes[0]}://127.0.0.1:3900`;
  return setting<string | D>(base, (text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    return url !== null && base.schemes.includes(url.protocol.slice(0, -1))
      ? value(text.replace(/\/+$/, ''))
      : fault(allowed);
  });
}

/** Texts with commas between them, each as `pattern` wants it. Empty: none. */
export function listSetting(
  base: Omit<SettingBase<null>, 'defaultValue'> & {
    readonly pattern: RegExp;
    readonly allowed: string;
    readonly itemsMax: number;
  },
): Setting<readonly string[]> {
  const { pattern, allowed, itemsMax, ...rest } = base;
  return setting<readonly string[]>({ ...rest, defaultValue: [] }, (text) => {
    const items = text.split(',').map((item) => item.trim());
    const given = items.filter((item) => item !== '');
    return given.length <= itemsMax && given.every((item) => pattern.test(item))
      ? value(given)
      : fault(`at most ${itemsMax}, with commas between them: ${allowed}`);
  });
}

/** One of the given words. */
export function choiceSetting<T extends string>(
  base: SettingBase<T> & { readonly choices: readonly T[] },
): Setting<T> {
  return setting<T>(base, (text) => {
    const choice = base.choices.find((candidate) => candidate === text);
    return choice === undefined ? fault(`one of ${base.choices.join(', ')}`) : value(choice);
  });
}
