import type { Micros, Position } from '@allsource/shared/model';
import type { Tail } from '../tail/tail.ts';
import type { TextSegment } from '../tail/tail-text.ts';

/** What a block is made of, as plain data that can go to another thread: the columns of a tail that takes no more rows. */
export interface BlockContent {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly rowCount: number;
  readonly entityCount: number;
  readonly timestampMin: Micros;
  readonly timestampMax: Micros;
  readonly tenantNames: readonly string[];
  readonly typeNames: readonly string[];
  readonly positions: Uint32Array;
  readonly entities: Uint32Array;
  readonly types: Uint32Array;
  readonly versions: Float64Array;
  readonly timestamps: Float64Array;
  readonly recordedAts: Float64Array;
  /** The random bits of the ids, or all of them whole. */
  readonly eventIds: Uint32Array | Uint8Array;
  /** Row to where its payload begins in `text`; its metadata follows. */
  readonly textOffsets: Uint32Array;
  readonly payloadBytes: Uint32Array;
  readonly metadataBytes: Uint32Array;
  readonly entityHashes: Uint32Array;
  readonly entityTenants: Uint32Array;
  readonly entityPartitions: Uint32Array;
  readonly entityNameEnds: Uint32Array;
  readonly entityNames: Uint8Array;
  readonly text: readonly TextSegment[];
}

/** The content of a tail. Nothing is copied. */
export function contentOf(tail: Tail): BlockContent {
  const { rowCount, entityCount, firstPosition, lastPosition, tenantNames, typeNames } = tail;
  const { timestampMin, timestampMax } = tail.run();
  return {
    firstPosition,
    lastPosition,
    rowCount,
    entityCount,
    timestampMin,
    timestampMax,
    tenantNames,
    typeNames,
    positions: tail.positions.subarray(0, rowCount),
    entities: tail.entities.subarray(0, rowCount),
    types: tail.types.subarray(0, rowCount),
    versions: tail.versions.subarray(0, rowCount),
    timestamps: tail.timestamps.subarray(0, rowCount),
    recordedAts: tail.recordedAts.subarray(0, rowCount),
    eventIds: tail.eventIdColumn(),
    textOffsets: tail.textOffsets.subarray(0, rowCount),
    payloadBytes: tail.payloadBytes.subarray(0, rowCount),
    metadataBytes: tail.metadataBytes.subarray(0, rowCount),
    entityHashes: tail.entityHashes.subarray(0, entityCount),
    entityTenants: tail.entityTenants.subarray(0, entityCount),
    entityPartitions: tail.entityPartitions.subarray(0, entityCount),
    entityNameEnds: tail.entityNameEnds.subarray(0, entityCount),
    entityNames: tail.entityNames,
    text: tail.textSegments(),
  };
}
