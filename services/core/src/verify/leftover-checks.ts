import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { ASIDE_FOLDER } from '../log/sealed-leftovers.ts';
import { TORN_FOLDER } from '../log/torn-tail.ts';
import { fine, warning } from './check.ts';

/** What starts of the past have moved out of the way: torn writes, and compressed segments that did not hold what their raw file held. */
export function leftoverChecks(logFolder: string): InspectionCheck[] {
  const torn = filesIn(join(logFolder, TORN_FOLDER));
  const aside = filesIn(join(logFolder, ASIDE_FOLDER));
  return [
    ...(torn.count === 0
      ? []
      : [
          fine(
            TORN_FOLDER,
            `The folder ${TORN_FOLDER} holds ${torn.count} torn writes of past crashes (${torn.bytes} bytes). Nobody was told that they were stored; they may be deleted.`,
          ),
        ]),
    ...(aside.count === 0
      ? []
      : [
          warning(
            ASIDE_FOLDER,
            `The folder ${ASIDE_FOLDER} holds ${aside.count} compressed segments (${aside.bytes} bytes) that did not hold what their raw file held.`,
            'Nothing is lost: the raw files are used. But the disk or the memory of this machine has changed bytes: look at the system log (dmesg) and the disk (smartctl), run `allsource verify`, then delete the folder.',
          ),
        ]),
  ];
}

function filesIn(folder: string): { readonly count: number; readonly bytes: number } {
  if (!existsSync(folder)) return { count: 0, bytes: 0 };
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
