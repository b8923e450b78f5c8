import { micros, POSITION_ZERO, position, writeEventId } from '@allsource/shared/model';
import { NO_RANDOM } from '../../src/history/block/event-ids.ts';
import { EventRun, type RunSource } from '../../src/history/event-run.ts';

/** A row; what is left out is plain. */
export interface HandMadeRow {
  readonly id?: Buffer;
  /** The random bits of an id that is put together; `id` counts when left out. */
  readonly idRandom?: number;
  readonly entity?: string;
  readonly version?: number;
  readonly position?: number;
  readonly timestamp?: number;
  readonly recordedAt?: number;
  readonly payload?: string;
  readonly metadata?: string;
  /** What reading the row throws. */
  readonly damage?: Error;
}

/** A run of rows with any values, each of an entity of its own. */
export function handMadeRun(rows: readonly HandMadeRow[]): EventRun {
  const names = rows.map(({ entity = 'order-1' }) => Buffer.from(entity));
  const ends: number[] = [];
  for (const name of names) ends.push((ends.at(-1) ?? 0) + name.length);
  const texts = rows.map(({ payload = '{}', metadata = '' }) => Buffer.from(payload + metadata));
  const text = Buffer.concat(texts);
  const starts = texts.map((_, row) => Buffer.concat(texts.slice(0, row)).length);
  const numbers = rows.map((_, row) => row);
  const doubles = (of: (row: HandMadeRow) => number) => Float64Array.from(rows, of);
  const source: RunSource = {
    firstPosition: POSITION_ZERO,
    tenantNames: ['acme'],
    typeNames: ['order.placed'],
    entityCount: rows.length,
    entityTenants: new Uint32Array(rows.length),
    entityHashes: new Uint32Array(rows.length),
    entityNameEnds: Uint32Array.from(ends),
    entityNames: Buffer.concat(names),
    // Wider than those of a run, for positions of any size.
    positions: doubles(({ position: at = 1 }) => at) as unknown as Uint32Array,
    entities: Uint32Array.from(numbers),
    types: new Uint32Array(rows.length),
    versions: doubles(({ version = 1 }) => version),
    timestamps: doubles(({ timestamp = 0 }) => timestamp),
    recordedAts: doubles(({ recordedAt = 0 }) => recordedAt),
    entityName: (entity) => (names[entity] as Buffer).toString(),
    entityPartition: () => 0,
    findEntity: () => -1,
    rowsOfEntity: (entity) => Uint32Array.of(entity),
    eventIdRandom: (row) => rows[row]?.idRandom ?? NO_RANDOM,
    copyEventId(row, target) {
      const { id = Buffer.alloc(16), idRandom, position: at = 1, recordedAt = 0 } = rows[row] ?? {};
      if (idRandom === undefined) id.copy(target);
      else
        writeEventId(target, 0, {
          recordedAtMs: Math.floor(recordedAt / 1000),
          position: position(at),
          random: idRandom,
        });
    },
    placeText(row, place) {
      const { damage, payload = '{}', metadata = '' } = rows[row] as HandMadeRow;
      if (damage !== undefined) throw damage;
      place.bytes = text;
      place.start = starts[row] as number;
      place.payloadBytes = Buffer.byteLength(payload);
      place.metadataBytes = Buffer.byteLength(metadata);
    },
  };
  return new EventRun(source, {
    rowCount: rows.length,
    lastPosition: position(Number.MAX_SAFE_INTEGER),
    timestampMin: micros(0),
    timestampMax: micros(0),
    isTimeOrdered: null,
  });
}
