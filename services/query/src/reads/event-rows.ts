import { must } from '@allsource/shared/lang';
import { EVENT_ID_BYTES, type Micros } from '@allsource/shared/model';
import type { EventRun, RunSource } from '../history/event-run.ts';
import { RowText } from '../history/row-text.ts';
import {
  INTEGER_BYTES_MAX,
  TIMESTAMP_BYTES_MAX,
  TimestampText,
  UUID_TEXT_BYTES,
  writeInteger,
  writeName,
  writeUuid,
} from './json-bytes.ts';
import type { JsonWriter } from './json-writer.ts';

const ID = Buffer.from('{"id":"');
const TIMESTAMP = ',"timestamp":"';
const METADATA = Buffer.from('","metadata":');
const NO_METADATA = Buffer.from('","metadata":null,"version":');
const VERSION = Buffer.from(',"version":');
const RECORDED_AT = ',"recorded_at":"';
const POSITION = Buffer.from('","position":');
/** Sources whose columns one answer keeps. */
const SOURCES_MAX = 16;
const COMMA = 0x2c;
const CLOSE = 0x7d;
/** What a row takes apart from its type, tenant, entity, payload and metadata. */
const FIXED_BYTES_MAX =
  2 +
  [ID, TIMESTAMP, NO_METADATA, RECORDED_AT, POSITION].reduce((sum, { length }) => sum + length, 0) +
  UUID_TEXT_BYTES +
  2 * TIMESTAMP_BYTES_MAX +
  2 * INTEGER_BYTES_MAX;

/** The columns of a source that rows are made of; a source may have to look each of them up. */
type RowColumns = Pick<
  RunSource,
  | 'positions'
  | 'entities'
  | 'entityNames'
  | 'entityNameEnds'
  | 'entityTenants'
  | 'types'
  | 'versions'
  | 'timestamps'
  | 'recordedAts'
>;

/** What the rows of one source share. */
class SourceRows {
  readonly columns: RowColumns;
  readonly #source: RunSource;
  readonly #types: Buffer[] = [];
  readonly #tenants: Buffer[] = [];

  constructor(source: RunSource) {
    const { positions, entities, types, versions, timestamps, recordedAts } = source;
    const { entityNames, entityNameEnds, entityTenants } = source;
    const ofEntities = { entities, entityNames, entityNameEnds, entityTenants };
    this.columns = { ...ofEntities, positions, types, versions, timestamps, recordedAts };
    this.#source = source;
  }

  /** What stands between the id and the entity. */
  beforeEntity(type: number): Buffer {
    return (this.#types[type] ??= Buffer.from(
      `","event_type":"${must(this.#source.typeNames[type], 'a type of the run')}","entity_id":"`,
    ));
  }

  /** What stands between the entity and the payload. */
  behindEntity(tenant: number): Buffer {
    return (this.#tenants[tenant] ??= Buffer.from(
      `","tenant_id":"${must(this.#source.tenantNames[tenant], 'a tenant of the run')}","payload":`,
    ));
  }
}

/** Writes rows of runs as clients see events, with commas in between: the same text as `writeEvent`, straight into the bytes of the answer, for pages of many. */
export class EventRows {
  readonly #writer: JsonWriter;
  readonly #text = new RowText();
  readonly #id = Buffer.alloc(EVENT_ID_BYTES);
  readonly #timestamps = new TimestampText(TIMESTAMP);
  readonly #recordedAts = new TimestampText(RECORDED_AT);
  /** An answer may go to and fro between sources. */
  readonly #sources = new Map<RunSource, SourceRows>();
  #source: RunSource | null = null;
  #rows: SourceRows | null = null;
  #isFirst = true;

  constructor(writer: JsonWriter) {
    this.#writer = writer;
  }

  /** Writes one row. A row that cannot be read leaves nothing of itself. */
  write({ source }: EventRun, row: number): void {
    const rows = this.#rowsOf(source);
    const { columns } = rows;
    const text = this.#text;
    source.placeText(row, text);
    source.copyEventId(row, this.#id);
    const { bytes, start: payload, payloadBytes, metadataBytes } = text;
    const metadata = payload + payloadBytes;
    const entity = columns.entities[row] as number;
    const end = columns.entityNameEnds[entity] as number;
    const from = entity === 0 ? 0 : (columns.entityNameEnds[entity - 1] as number);
    const before = rows.beforeEntity(columns.types[row] as number);
    const behind = rows.behindEntity(columns.entityTenants[entity] as number);
    const names = before.length + 2 * (end - from) + behind.length;
    const out = this.#writer.reserve(FIXED_BYTES_MAX + names + payloadBytes + metadataBytes);

    let at = this.#writer.length;
    if (!this.#isFirst) out[at++] = COMMA;
    at = putShort(out, at, ID);
    at = writeUuid(out, at, this.#id);
    at = put(out, at, before);
    at = writeName(out, at, columns.entityNames, { from, end });
    at = put(out, at, behind);
    at += bytes.copy(out, at, payload, metadata);
    at = this.#timestamps.write(out, at, columns.timestamps[row] as Micros);
    if (metadataBytes === 0) at = put(out, at, NO_METADATA);
    else {
      at = put(out, at, METADATA);
      at += bytes.copy(out, at, metadata, metadata + metadataBytes);
      at = put(out, at, VERSION);
    }
    at = writeInteger(out, at, columns.versions[row] as number);
    at = this.#recordedAts.write(out, at, columns.recordedAts[row] as Micros);
    at = putShort(out, at, POSITION);
    at = writeInteger(out, at, source.firstPosition + (columns.positions[row] as number));
    out[at++] = CLOSE;
    this.#writer.length = at;
    this.#isFirst = false;
  }

  #rowsOf(source: RunSource): SourceRows {
    if (this.#source === source && this.#rows !== null) return this.#rows;
    const known = this.#sources.get(source);
    const rows = known ?? new SourceRows(source);
    if (known === undefined) {
      // Columns that are kept cannot be dropped: those of few sources are.
      if (this.#sources.size >= SOURCES_MAX) this.#sources.clear();
      this.#sources.set(source, rows);
    }
    this.#source = source;
    this.#rows = rows;
    return rows;
  }
}

function put(target: Buffer, at: number, bytes: Buffer): number {
  target.set(bytes, at);
  return at + bytes.length;
}

/** The same for a few bytes: a loop takes less time than a call. */
function putShort(target: Buffer, at: number, bytes: Buffer): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] as number;
  return at + bytes.length;
}
