import type { Frame } from '@allsource/shared/protocol';
import type { ParquetDisk } from '../disk/parquet-disk.ts';
import { columnsOfFrames } from '../file/event-columns.ts';
import { ParquetFileWriter } from '../file/parquet-file-writer.ts';
import type { DraftFile, PositionRange, TenantFiles } from '../folder/tenant-files.ts';

/** With how much a row group is full. One frame more may be in it. */
export const ROW_GROUP_LIMITS = { rows: 65_536, textBytes: 32 * 1024 * 1024 } as const;

/** What a file says of itself, for whoever finds it alone. */
export function factsOf(files: TenantFiles, range: PositionRange): Record<string, string> {
  return {
    'allsource.tenant_id': files.tenant,
    'allsource.first_position': String(range.firstPosition),
    'allsource.last_position': String(range.lastPosition),
  };
}

/** Writes the events of frames of one tenant, which follow each other without another file between, as a file under a draft name. */
export async function writeFrames(
  disk: ParquetDisk,
  files: TenantFiles,
  frames: readonly [Frame, ...Frame[]],
): Promise<DraftFile> {
  const range = {
    firstPosition: frames[0].position,
    lastPosition: (frames.at(-1) ?? frames[0]).lastPosition,
  };
  const name = files.newName(range);
  const facts = factsOf(files, range);
  const writer = await ParquetFileWriter.create({ disk, name: files.pathOf(name), facts });
  try {
    for (const group of rowGroups(frames)) await writer.add(columnsOfFrames(group));
    return { name, ...range, ...(await writer.finish()) };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function* rowGroups(frames: readonly Frame[]): Generator<Frame[]> {
  let group: Frame[] = [];
  let rows = 0;
  let bytes = 0;
  for (const frame of frames) {
    group.push(frame);
    rows += frame.eventCount;
    bytes += frame.bytes.length;
    if (rows < ROW_GROUP_LIMITS.rows && bytes < ROW_GROUP_LIMITS.textBytes) continue;
    yield group;
    group = [];
    rows = 0;
    bytes = 0;
  }
  if (group.length > 0) yield group;
}
