import { SETTINGS } from '@allsource/service-kit/config';

/** What `npm start -- --help` prints. */
export function usage(): string {
  const rows = Object.values(SETTINGS).map(
    (setting) =>
      `  ${setting.name} (default: ${setting.defaultText})\n      ${setting.description}`,
  );
  return [
    'Starts the three services of AllSource on this machine: core, control plane and query service.',
    '',
    '  npm start          start; Ctrl-C stops',
    '  npm start -- --help',
    '',
    'Settings, from the environment:',
    '',
    ...rows,
  ].join('\n');
}
