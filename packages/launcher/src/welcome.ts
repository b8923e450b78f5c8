import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchPlan } from './launch-plan.ts';

const KEY_CREATED_LINE = /^api key created: (.+)$/;

const DEV_MODE_BANNER = [
  '****************************************************************************',
  '*  DEV MODE: requests without a key act as an admin. Anyone who reaches     *',
  '*  these ports can read and write everything. Never use this in production. *',
  '****************************************************************************',
  '',
];

/** How a person gets at the API key. */
interface KeyHint {
  readonly line: string;
  /** What stands for the key in a command that can be pasted into a shell. */
  readonly inShell: string;
}

/** The text that tells a person what runs, where, and what to try first. */
export function welcome(plan: LaunchPlan, sayingsOfCore: readonly string[]): string {
  const key = keyHint(plan, sayingsOfCore);
  const { urls } = plan;
  return [
    '',
    ...(plan.isDevMode ? DEV_MODE_BANNER : []),
    'AllSource is running.',
    '',
    `  query service   ${urls.query}   the one address that clients need`,
    `  core            ${urls.core}   the writer`,
    `  control plane   ${urls['control-plane']}   for operators`,
    `  data folder     ${plan.dataDir}`,
    `  API key         ${key.line}`,
    '',
    'Append an event, then read it back:',
    '',
    `  curl -s ${urls.query}/api/v1/events -H "Authorization: Bearer ${key.inShell}" -H "Content-Type: application/json" \\`,
    `    -d '{"event_type":"order.placed","entity_id":"order-1","payload":{"total":42}}'`,
    `  curl -s "${urls.query}/api/v1/events/query?entity_id=order-1" -H "Authorization: Bearer ${key.inShell}"`,
    '',
    'Ctrl-C stops all three.',
    '',
  ].join('\n');
}

function keyHint(plan: LaunchPlan, sayingsOfCore: readonly string[]): KeyHint {
  if (plan.bootstrapApiKey !== null) {
    return {
      line: 'the one in ALLSOURCE_BOOTSTRAP_API_KEY',
      inShell: '$ALLSOURCE_BOOTSTRAP_API_KEY',
    };
  }
  const createdFile = sayingsOfCore.map((line) => KEY_CREATED_LINE.exec(line)?.[1]).find(Boolean);
  const file = createdFile ?? join(plan.dataDir, 'api-key');
  if (!existsSync(file)) return { line: 'the one made at the first start', inShell: '<API key>' };
  if (createdFile === undefined)
    return { line: `in the file ${file}`, inShell: `$(cat '${file}')` };
  const key = readFileSync(file, 'utf8').trim();
  return { line: `${key}\n                  (shown once; it is kept in ${file})`, inShell: key };
}
