import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { ASIDE_FOLDER } from '../log/sealed-leftovers.ts';
import { TORN_FOLDER } from '../log/torn-tail.ts';
import { fine, warning } from './check.ts';

/** What starts of the past have moved out of the way: torn writes, and files of segments that were there twice and of which this one was not whole. */
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
            `The folder ${ASIDE_FOLDER} holds ${aside.count} files of segments (${aside.bytes} bytes) that were not whole, beside others that were and are used.`,
            'The disk or the memory of this machine has changed bytes: look at the system log (dmesg) and the disk (smartctl), and run `allsource verify`. Delete the folder when that finds no damage, and not before.',
          ),
        ]),
  ];
}

function filesIn(folder: string): { readonly count: number; readonly bytes: number } {
  if (!existsSync(folder)) return { count: 0, bytes: 0 };
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
