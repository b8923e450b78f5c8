import { expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { ChunkContent } from '../../src/history/block/chunk-content.ts';
import { ChunkEncoder } from '../../src/history/block/chunk-format.ts';
import { NO_RANDOM } from '../../src/history/block/event-ids.ts';
import { RowText } from '../../src/history/row-text.ts';
import { ByteReader, ByteWriter, INTEGER_BYTES_MAX } from '../../src/history/block/varints.ts';
import { soughtEntity } from '../../src/history/entity-hash.ts';
import { rowRange } from '../../src/history/row-range.ts';
import { propertySeed, Random } from '../support/random.ts';

const ID_BYTES = 16;
const COLUMNS = ['positions', 'types', 'versions', 'timestamps', 'recordedAts'] as const;

/** Whole numbers of every length, with the ends of what a double holds exactly. */
function wholeNumber(random: Random): number {
  const bits = random.below(54);
  const top = bits === 53 ? Number.MAX_SAFE_INTEGER : 2 ** bits;
  return random.chance(0.3) ? top : Math.floor(random.next() * top);
}

it('integers of any length come back, with their signs', () => {
  const random = new Random(propertySeed('varints'));
  const sizes = [0, 1, 63, 64, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (let i = 0; i < 3_000; i++) sizes.push(wholeNumber(random));
  const writer = new ByteWriter();
  for (const size of sizes) {
    writer.reserve(3 * INTEGER_BYTES_MAX + 8);
    writer.integer(size);
    writer.signed(size);
    writer.signed(-size);
    writer.double(-size / 3);
  }
  const reader = new ByteReader(writer.written, 0);
  for (const size of sizes) {
    expect(reader.integer()).toBe(size);
    expect(reader.signed()).toBe(size);
    expect(Math.abs(reader.signed() + size)).toBe(0);
    expect(reader.double()).toBe(-size / 3);
  }
  expect(reader.at).toBe(writer.length);
});

/** Columns as a log may have them at its strangest: instants of the past and of far apart clocks, versions of any size, ids of either kind. */
function randomColumns(random: Random, rows: number) {
  let position = 0;
  let recordedAt = 1_700_000_000_000_000;
  const clock = random.below(3);
  const positions = Uint32Array.from({ length: rows }, () => (position += random.below(5) + 1));
  const recordedAts = Float64Array.from(
    { length: rows },
    () => (recordedAt += random.chance(0.5) ? 0 : random.below(2 ** 31)),
  );
  const timestamps = recordedAts.map((instant) => {
    if (clock === 0) return instant;
    return clock === 1 ? instant - random.below(2 ** 31) : -8_500_000_000_000_000;
  });
  const integers = (below: number) => Uint32Array.from({ length: rows }, () => random.below(below));
  return {
    positions,
    types: integers(300),
    versions: Float64Array.from({ length: rows }, () => wholeNumber(random)),
    timestamps,
    recordedAts,
    eventIds: random.chance(0.5)
      ? integers(2 ** 22)
      : Buffer.from(Array.from({ length: rows * ID_BYTES }, () => random.below(256))),
    payloadBytes: integers(200),
    metadataBytes: integers(3),
  };
}

/** What a chunk says of the id of a row. */
function idIn({ eventIds }: ReturnType<typeof randomColumns>, row: number) {
  return Buffer.isBuffer(eventIds)
    ? { idRandom: NO_RANDOM, id: eventIds.subarray(row * ID_BYTES, (row + 1) * ID_BYTES) }
    : { idRandom: eventIds[row], id: Buffer.alloc(ID_BYTES) };
}

it('the rows of each entity come back out of a chunk as they went in', () => {
  const random = new Random(propertySeed('chunks'));
  for (let round = 0; round < 60; round++) {
    const rows = 1 + random.below(60);
    const columns = randomColumns(random, rows);
    const encoder = new ChunkEncoder(columns);
    const pieces: { tenant: number; name: string; rows: Uint32Array; partition: number }[] = [];
    const textOf = (row: number) =>
      Buffer.alloc(
        (columns.payloadBytes[row] as number) + (columns.metadataBytes[row] as number),
        row + 1,
      );
    for (let first = 0; first < rows; ) {
      const count = Math.min(1 + random.below(12), rows - first);
      const own = rowRange(first, first + count);
      // Neighbours share their names, and an id may be that of another tenant's entity.
      const [tenant, name] = [pieces.length % 2, `entity-${Math.floor(pieces.length / 2)}-é`];
      const names = Buffer.from(`before${name}behind`);
      const end = names.length - 'behind'.length;
      const partition = random.below(256);
      encoder.addPiece({ tenant, partition, names, start: 'before'.length, end }, own);
      pieces.push({ tenant, name, rows: own, partition });
      first += count;
    }
    const texts = Buffer.concat(Array.from({ length: rows }, (_, row) => textOf(row)));
    const { bytes, textsAt, rowCount } = encoder.end(texts.length);
    expect(rowCount).toBe(rows);
    texts.copy(bytes, textsAt);
    const content = new ChunkContent(bytes);
    expect(content.findPiece(0, soughtEntity('acme', 'entity-0-e'))).toBeNull();
    expect(content.findPiece(2, soughtEntity('acme', 'entity-0-é'))).toBeNull();
    for (const expected of pieces) {
      const piece = must(
        content.findPiece(expected.tenant, soughtEntity('acme', expected.name)),
        'the rows of the entity',
      );
      expect(piece).toMatchObject({
        rowCount: expected.rows.length,
        partition: expected.partition,
      });
      const read = {
        positions: new Uint32Array(rows),
        types: new Uint32Array(rows),
        versions: new Float64Array(rows),
        timestamps: new Float64Array(rows),
        recordedAts: new Float64Array(rows),
      };
      // Rows of pieces may go anywhere into the columns.
      const into = random.below(rows - piece.rowCount + 1);
      content.readPiece(piece, read, into);
      for (const [i, row] of expected.rows.entries()) {
        for (const name of COLUMNS)
          expect([name, read[name][into + i]]).toEqual([name, columns[name][row]]);
        const text = new RowText();
        content.place(piece.firstRow + i, text);
        expect([text.payloadBytes, text.metadataBytes]).toEqual([
          columns.payloadBytes[row],
          columns.metadataBytes[row],
        ]);
        expect(text.bytes.subarray(text.start, text.start + textOf(row).length)).toEqual(
          textOf(row),
        );
        const idRandom = content.idRandom(piece.firstRow + i);
        const id = Buffer.alloc(ID_BYTES);
        if (idRandom === NO_RANDOM) content.copyId(piece.firstRow + i, id);
        expect({ idRandom, id }).toEqual(idIn(columns, row));
      }
    }
  }
});
