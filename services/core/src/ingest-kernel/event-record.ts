/** The records of the kernel's event table as JavaScript sees them; kernel/assembly/layout.ts draws them. */
import { type Micros, micros, type Version, version } from '@allsource/shared/model';
import { writeSafeInteger } from './safe-integer.ts';

/** Where one event's parts lie in the input, in bytes, and what it says beside them. */
export interface EventSpans {
  readonly type: Span;
  readonly entity: Span;
  readonly payload: Span;
  readonly metadata: Span | null;
  readonly timestamp: Micros | null;
  readonly expectedVersion: Version | null;
}

export interface Span {
  readonly start: number;
  readonly bytes: number;
}

const FLAG_TIMESTAMP = 1;
const FLAG_EXPECTED_VERSION = 2;

/** Reads the record at `at`. */
export function readEventRecord(memory: Buffer, at: number): EventSpans {
  const flags = memory.readUInt32LE(at + 28);
  const metadataBytes = memory.readUInt32LE(at + 24);
  return {
    type: { start: memory.readUInt32LE(at), bytes: memory.readUInt16LE(at + 4) },
    entity: { start: memory.readUInt32LE(at + 8), bytes: memory.readUInt16LE(at + 6) },
    payload: { start: memory.readUInt32LE(at + 12), bytes: memory.readUInt32LE(at + 16) },
    metadata:
      metadataBytes === 0 ? null : { start: memory.readUInt32LE(at + 20), bytes: metadataBytes },
    timestamp:
      (flags & FLAG_TIMESTAMP) === 0 ? null : micros(Number(memory.readBigInt64LE(at + 32))),
    expectedVersion:
      (flags & FLAG_EXPECTED_VERSION) === 0
        ? null
        : version(Number(memory.readBigUInt64LE(at + 40))),
  };
}

/** Writes the record at `at`, as far as a scan would. */
export function writeEventRecord(memory: Buffer, at: number, event: EventSpans): void {
  memory.writeUInt32LE(event.type.start, at);
  memory.writeUInt16LE(event.type.bytes, at + 4);
  memory.writeUInt16LE(event.entity.bytes, at + 6);
  memory.writeUInt32LE(event.entity.start, at + 8);
  memory.writeUInt32LE(event.payload.start, at + 12);
  memory.writeUInt32LE(event.payload.bytes, at + 16);
  memory.writeUInt32LE(event.metadata?.start ?? 0, at + 20);
  memory.writeUInt32LE(event.metadata?.bytes ?? 0, at + 24);
  const flags =
    (event.timestamp === null ? 0 : FLAG_TIMESTAMP) |
    (event.expectedVersion === null ? 0 : FLAG_EXPECTED_VERSION);
  memory.writeUInt32LE(flags, at + 28);
  writeSafeInteger(memory, event.timestamp ?? 0, at + 32);
  writeSafeInteger(memory, event.expectedVersion ?? 0, at + 40);
}
