export { requireSafeDevMode } from './dev-mode.ts';
export {
  awaitInternalToken,
  type InternalTokenSource,
  obtainInternalToken,
} from './internal-token.ts';
export { type NatsAddress, natsAddress } from './nats-address.ts';
export { ConfigError, type Environment, readSettings, settingsTable } from './read-settings.ts';
export type { Setting, SettingRead } from './setting.ts';
export { SETTINGS } from './settings.ts';
