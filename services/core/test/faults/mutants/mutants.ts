import type { Mutant } from './mutant.ts';

const LOG = 'services/core/src/log';
const APPEND = 'services/core/src/append';

const POWER_LOSS = { file: 'power-loss.test.ts', title: 'loses no acknowledged event' };
const TORN_TAIL = { file: 'torn-tail.test.ts', title: 'from any byte of the last three commits' };
const FLIPS_READ = { file: 'bit-flips.test.ts', title: 'is found by a read of an open log' };
const FLIPS_OPEN = { file: 'bit-flips.test.ts', title: 'is found when the log is opened, named' };
const METADATA = { file: 'metadata-files.test.ts', title: 'may be gone, cut or flipped' };
const DISK_ERRORS = { file: 'disk-errors.test.ts', title: 'at every call in turn' };
const FAILED_SYNC = { file: 'disk-errors.test.ts', title: 'of a sync is not forgotten' };
const NO_HANDLES = { file: 'slow-disk.test.ts', title: 'while there is no file handle' };
const SLOW_DISK = { file: 'slow-disk.test.ts', title: 'with a bounded queue' };
const READER_GAPS = { file: 'reader-gaps.test.ts', title: 'never see a gap' };
const SHOWN = { file: 'shown-then-lost.test.ts', title: 'is never lost with the power' };
const WHOLE_CORE = { file: 'whole-core.test.ts', title: 'breaks no promise' };
const FENCE = { file: '../log/log-stores.test.ts', title: 'fences the former writer' };
const KILLED_NAMES = { file: '../log/recovery.test.ts', title: 'that a killed process had named' };
const SEGMENTS = { file: '../log/recovery.test.ts', title: 'of another history of this one' };

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a start builds on names that a killed process had not synced',
    file: `${LOG}/open-log.ts`,
    edits: [{ find: "    await synced(disk.syncFolder(''));\n", replace: '' }],
    caughtBy: KILLED_NAMES,
  },
  {
    fault: 'an append is answered before it is synced',
    file: `${LOG}/log-writer.ts`,
    edits: [{ find: '      await this.#sync(run);\n', replace: '' }],
    caughtBy: POWER_LOSS,
    isQuick: true,
  },
  {
    fault: 'the checksum of a frame does not cover the text (types, entities, payloads)',
    file: 'packages/shared/src/protocol/frame.ts',
    edits: [
      {
        find: 'bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 8);',
        replace: 'bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM, textOffset)), 8);',
      },
      {
        find: 'const actual = crc32(bytes.subarray(CHECKSUM_FROM));',
        replace: 'const actual = crc32(bytes.subarray(CHECKSUM_FROM, bytes.readUInt32LE(44)));',
      },
    ],
    caughtBy: FLIPS_READ,
    isQuick: true,
  },
  {
    fault: 'the checksum of a frame does not cover the span table',
    file: 'packages/shared/src/protocol/frame.ts',
    edits: [
      {
        find: 'bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 8);',
        replace:
          'bytes.writeUInt32LE(crc32(bytes.subarray(textOffset), crc32(bytes.subarray(CHECKSUM_FROM, spansOffset))), 8);',
      },
      {
        find: 'const actual = crc32(bytes.subarray(CHECKSUM_FROM));',
        replace:
          'const spans = Math.max(CHECKSUM_FROM, bytes.readUInt32LE(44) - bytes.readUInt32LE(40) * SPAN_BYTES); const actual = crc32(bytes.subarray(bytes.readUInt32LE(44)), crc32(bytes.subarray(CHECKSUM_FROM, spans)));',
      },
    ],
    caughtBy: FLIPS_OPEN,
  },
  {
    fault: 'a read ends quietly where a frame is damaged',
    file: `${LOG}/log-reader.ts`,
    edits: [{ find: 'throw readProblem(', replace: 'return; throw readProblem(' }],
    caughtBy: FLIPS_READ,
  },
  {
    fault: 'recovery takes damage of acknowledged events for a torn tail',
    file: `${LOG}/recovery.ts`,
    edits: [
      { find: 'if (isTorn && this.#wasDurable(walk.position, survey))', replace: 'if (false)' },
    ],
    caughtBy: FLIPS_OPEN,
  },
  {
    fault: 'the checksum of the frame before is not compared',
    file: `${LOG}/frame-walk.ts`,
    edits: [{ find: 'if (frame.previousChecksum !== this.#checksum)', replace: 'if (false)' }],
    caughtBy: TORN_TAIL,
    isQuick: true,
  },
  {
    fault: 'a frame of another log is taken for one of this log',
    file: `${LOG}/frame-walk.ts`,
    edits: [{ find: 'if (!frame.logId.equals(this.#logId))', replace: 'if (false)' }],
    caughtBy: TORN_TAIL,
  },
  {
    fault: 'a torn tail is cleared by half',
    file: `${LOG}/torn-tail.ts`,
    edits: [
      {
        find: 'zeroRange(segment, torn.offset, torn.endOffset);',
        replace: 'zeroRange(segment, torn.offset, (torn.offset + torn.endOffset) >>> 1);',
      },
    ],
    caughtBy: TORN_TAIL,
  },
  {
    fault: 'a segment is adopted without syncing its name',
    file: `${LOG}/adopt-segment.ts`,
    edits: [{ find: "  await synced(disk.syncFolder(''));\n", replace: '' }],
    caughtBy: POWER_LOSS,
  },
  {
    fault: 'a segment gets its name before its header is synced',
    file: `${LOG}/adopt-segment.ts`,
    edits: [{ find: '  await synced(prepared.file.datasync());\n', replace: '' }],
    caughtBy: POWER_LOSS,
  },
  {
    fault: 'the head marker is written before the data',
    file: `${LOG}/file-log-store.ts`,
    edits: [
      {
        find: 'const outcome = await log.writer.append(head, frames);',
        replace:
          'await writeHeadMarker(this.#settings.disk, headAfter(head, frames)).catch(() => undefined);\n    const outcome = await log.writer.append(head, frames);',
      },
    ],
    caughtBy: POWER_LOSS,
  },
  {
    fault: 'the head marker is believed although its checksum is wrong',
    file: `${LOG}/head-marker.ts`,
    edits: [
      {
        find: 'if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(CHECKSUM_FROM))) return null;',
        replace: '',
      },
    ],
    caughtBy: METADATA,
  },
  {
    fault: 'a failed fdatasync is tried again on the same handle',
    file: `${LOG}/log-writer.ts`,
    edits: [
      {
        find: 'else await synced(file.datasync());',
        replace: 'else await synced(file.datasync().catch(() => file.datasync()));',
      },
    ],
    caughtBy: DISK_ERRORS,
  },
  {
    fault: 'a failed sync with ENOSPC passes for a full disk',
    file: `${LOG}/write-faults.ts`,
    edits: [
      {
        find: '    await sync;\n  } catch (thrown) {\n    throw new SyncFailure(thrown);',
        replace: '    await sync;\n  } catch (thrown) {\n    throw thrown;',
      },
    ],
    caughtBy: DISK_ERRORS,
  },
  {
    fault: 'an append that found no space is reported as stored',
    file: `${LOG}/log-writer.ts`,
    edits: [{ find: "return { kind: 'full', cause };", replace: "return { kind: 'appended' };" }],
    caughtBy: DISK_ERRORS,
  },
  {
    fault: 'what was written is not taken back from a full disk',
    file: `${LOG}/log-writer.ts`,
    edits: [{ find: '      await this.#takeBack(placed);\n', replace: '' }],
    caughtBy: DISK_ERRORS,
  },
  {
    fault: 'a store that an error has poisoned takes appends',
    file: `${LOG}/file-log-store.ts`,
    edits: [
      {
        find: "if (this.#poison !== null) return { kind: 'failed', cause: this.#poison };",
        replace: '',
      },
    ],
    caughtBy: DISK_ERRORS,
  },
  {
    fault: 'recovery syncs the tail without writing it again',
    file: `${LOG}/open-log.ts`,
    edits: [
      {
        find: 'await rewriteTail(file, segment, durablePosition);',
        replace: 'await file.datasync();',
      },
    ],
    caughtBy: FAILED_SYNC,
  },
  {
    fault: 'a segment that does not follow the one before is accepted',
    file: `${LOG}/recovery.ts`,
    edits: [
      {
        find: 'if (stop.walk.position !== firstPosition || stop.walk.checksum !== previousChecksum)',
        replace: 'if (false)',
      },
    ],
    caughtBy: SEGMENTS,
  },
  {
    fault: 'a fenced writer goes on',
    file: `${LOG}/writer-epoch.ts`,
    edits: [{ find: 'return this.#read() === this.value;', replace: 'return true;' }],
    caughtBy: FENCE,
  },
  {
    fault: 'a shortage of file handles poisons the writer',
    file: `${LOG}/log-writer.ts`,
    edits: [{ find: 'if (isShortage(thrown) && placed.length === 0)', replace: 'if (false)' }],
    caughtBy: NO_HANDLES,
  },
  {
    fault: 'the queue before the disk has no limit',
    file: `${APPEND}/commit-pipeline.ts`,
    edits: [
      { find: 'if (this.#waitingBytes > LIMITS.appendQueueBytesMax) {', replace: 'if (false) {' },
    ],
    caughtBy: SLOW_DISK,
  },
  {
    fault: 'readers are shown a group before it is synced',
    file: `${APPEND}/commit-pipeline.ts`,
    edits: [
      {
        find: 'const outcome = await this.#append(group.map(({ frame }) => frame));',
        replace:
          'for (const { frame } of group) this.#options.onDurable(frame);\n    const outcome = await this.#append(group.map(({ frame }) => frame));',
      },
      {
        find: '    for (const { frame } of group) this.#options.onDurable(frame);\n    for (const { resolve }',
        replace: '    for (const { resolve }',
      },
    ],
    caughtBy: SHOWN,
  },
  {
    fault: 'the watermark is raised when readers have been shown its group',
    file: `${APPEND}/commit-pipeline.ts`,
    edits: [
      {
        find: "    this.#options.onWatermark?.(must(group.at(-1), 'a frame of the group').frame.lastPosition);\n",
        replace: '',
      },
      {
        find: '    for (const { resolve } of group) resolve();\n',
        replace:
          "    this.#options.onWatermark?.(must(group.at(-1), 'a frame of the group').frame.lastPosition);\n    for (const { resolve } of group) resolve();\n",
      },
    ],
    caughtBy: { file: '../append/journal.test.ts', title: 'raises the watermark once' },
  },
  {
    fault: 'a read goes past the head, to whatever lies in the file',
    file: `${LOG}/log-reader.ts`,
    edits: [
      {
        find: 'const { segment, from, end } = read;',
        replace: 'const { segment, from } = read;\n  const end = segment.capacity;',
      },
      { find: 'while (walk.position <= read.lastPosition) {', replace: 'for (;;) {' },
      { find: 'throw readProblem(', replace: 'return; throw readProblem(' },
    ],
    caughtBy: SHOWN,
  },
  {
    fault: 'a tail takes what it hears for the next frame, although some are missing between',
    file: 'services/core/src/read/log-tail.ts',
    edits: [
      {
        find: 'if (first === undefined || first.position > this.#wanted) return null;',
        replace: 'if (first === undefined) return null;',
      },
    ],
    caughtBy: READER_GAPS,
  },
  {
    fault: 'a version follows the durable state and not what was placed',
    file: `${APPEND}/sequencer.ts`,
    edits: [{ find: 'if (pending !== undefined) return pending;', replace: '' }],
    caughtBy: WHOLE_CORE,
    isQuick: true,
  },
  {
    fault: 'what was placed is not forgotten when an append fails',
    file: `${APPEND}/journal.ts`,
    edits: [{ find: 'this.#builder.rollBack();', replace: '' }],
    caughtBy: WHOLE_CORE,
  },
  {
    fault: 'idempotency keys are forgotten at a restart',
    file: `${APPEND}/journal.ts`,
    edits: [
      {
        find: 'this.#idempotency.apply(frame);',
        replace: 'if (this.#logHead !== null) this.#idempotency.apply(frame);',
      },
    ],
    caughtBy: WHOLE_CORE,
  },
  {
    fault: 'recorded_at follows a clock that goes back',
    file: `${APPEND}/sequencer.ts`,
    edits: [
      { find: 'return now > this.#recordedAt ? now : this.#recordedAt;', replace: 'return now;' },
    ],
    caughtBy: WHOLE_CORE,
  },
  {
    fault: 'a conflict is told on the strength of a commit that is not durable',
    file: `${APPEND}/journal.ts`,
    edits: [{ find: '      await this.#lastCommit;\n', replace: '' }],
    caughtBy: WHOLE_CORE,
  },
];
