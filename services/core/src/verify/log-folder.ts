import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { firstPositionOf, SEALED_SUFFIX } from '../log/sealed-format.ts';
import { SEGMENT_SUFFIX } from '../log/segment.ts';

/** Where the log of a folder lies. */
export interface LogFolder {
  /** The folder that a running core locks: `core` in the data folder. */
  readonly coreFolder: string;
  readonly logFolder: string;
}

/**
 * Finds the log in a data folder, in core's folder inside it, or in a bare folder of segments, such as one that was restored from a backup. Null when
 * there is none.
 */
export function findLogFolder(folder: string): LogFolder | null {
  const path = resolve(folder);
  if (existsSync(join(path, 'core', 'log')))
    return { coreFolder: join(path, 'core'), logFolder: join(path, 'core', 'log') };
  if (existsSync(join(path, 'log'))) return { coreFolder: path, logFolder: join(path, 'log') };
  if (!existsSync(path)) return null;
  const hasSegments = readdirSync(path).some(
    (name) =>
      (name.endsWith(SEGMENT_SUFFIX) || name.endsWith(SEALED_SUFFIX)) &&
      firstPositionOf(name) !== null,
  );
  return hasSegments ? { coreFolder: resolve(path, '..'), logFolder: path } : null;
}
