import type { Pace } from '@allsource/service-kit/turns';
import { must } from '@allsource/shared/lang';
import type { EventRun, RunSource } from '../history/event-run.ts';
import type { RowStretches, StoredEvent } from '../history/event-history.ts';
import { NO_RANDOM } from '../history/block/event-ids.ts';
import { RowText } from '../history/row-text.ts';
import type { JsonWriter } from './json-writer.ts';
import {
  type PageKernel,
  POSITION,
  RECORDED_AT,
  ROW_DOUBLES,
  TIMESTAMP,
  VERSION,
} from './page-kernel/page-kernel.ts';
import { KeptBytes, RowHead } from './page-kernel/row-head.ts';

/** Sources whose columns one answer keeps. Lines are written for as long as their reader likes. */
const SOURCES_MAX: Readonly<Record<RowsForm, number>> = { list: 16, lines: 2 };
/** Rows that are laid out between two looks at the clock. */
const ROWS_A_LOOK = 16;
const NONE: RowStretches = [];
const beforeEntity = new KeptBytes();
const behindEntity = new KeptBytes();

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
  readonly source: RunSource;
  readonly columns: RowColumns;
  readonly #types: Buffer[] = [];
  readonly #tenants: Buffer[] = [];

  constructor(source: RunSource) {
    const { positions, entities, types, versions, timestamps, recordedAts } = source;
    const { entityNames, entityNameEnds, entityTenants } = source;
    const ofEntities = { entities, entityNames, entityNameEnds, entityTenants };
    this.columns = { ...ofEntities, positions, types, versions, timestamps, recordedAts };
    this.source = source;
  }

  /** Says what stands before the payload of the rows of an entity that have a type. */
  placeHead(entity: number, type: number, head: RowHead): void {
    const { entityNames, entityNameEnds, entityTenants } = this.columns;
    const tenant = entityTenants[entity] as number;
    head.beforeEntity = this.#types[type] ??= this.#beforeEntity(type);
    head.names = entityNames;
    head.from = entity === 0 ? 0 : (entityNameEnds[entity - 1] as number);
    head.end = entityNameEnds[entity] as number;
    head.behindEntity = this.#tenants[tenant] ??= this.#behindEntity(tenant);
  }

  #beforeEntity(type: number): Buffer {
    const name = must(this.source.typeNames[type], 'a type of the run');
    return beforeEntity.of(name, () => `","event_type":"${name}","entity_id":"`);
  }

  #behindEntity(tenant: number): Buffer {
    const name = must(this.source.tenantNames[tenant], 'a tenant of the run');
    return behindEntity.of(name, () => `","tenant_id":"${name}","payload":`);
  }
}

export interface EventRowsOptions {
  /** Null: there is none, and every row is written by `writeEvent`. */
  readonly kernel: PageKernel | null;
  /** Writes a row that is too large for the kernel; a line with its end. */
  readonly writeEvent: (writer: JsonWriter, event: StoredEvent) => void;
  /** Whether rows have commas in between or are lines of JSON. A list when left out. */
  readonly form?: RowsForm;
  /** Ends a batch early where a turn is over: rows may have columns and texts read and decompressed. */
  readonly pace: Pick<Pace, 'isTurnOver'>;
}

export type RowsForm = 'list' | 'lines';

/**
 * Writes rows of runs as clients see events, with commas in between or as lines: the same text as `writeEvent`, for many. The rows of some stretches are written in batches, and
 * nothing of a batch stays in the kernel when `writeBatch` returns: several answers are made in turns.
 */
export class EventRows {
  readonly #writer: JsonWriter;
  readonly #kernel: PageKernel | null;
  readonly #writeEvent: EventRowsOptions['writeEvent'];
  readonly #form: RowsForm;
  readonly #pace: Pick<Pace, 'isTurnOver'>;
  readonly #text = new RowText();
  readonly #head = new RowHead();
  /** An answer may go to and fro between sources. */
  readonly #sources = new Map<RunSource, SourceRows>();
  #stretches = NONE;
  /** The stretch and the row in it that come next. */
  #stretch = 0;
  #next = 0;
  #isFirst = true;
  /** Rows until the clock is looked at. */
  #rowsToLook = ROWS_A_LOOK;

  constructor(writer: JsonWriter, { kernel, writeEvent, form = 'list', pace }: EventRowsOptions) {
    this.#writer = writer;
    this.#kernel = kernel;
    this.#writeEvent = writeEvent;
    this.#form = form;
    this.#pace = pace;
  }

  /** Says which rows come next. Those before have been written. */
  begin(stretches: RowStretches): void {
    this.#stretches = stretches;
    this.#stretch = 0;
    this.#next = 0;
  }

  /** Writes the next rows, as many as a batch has room for. Returns false when there are none left. */
  writeBatch(): boolean {
    if (this.#stretch === this.#stretches.length) return false;
    const kernel = this.#kernel;
    if (kernel === null) {
      this.#writeRow();
      return true;
    }
    kernel.begin();
    while (this.#fill(kernel));
    if (kernel.rowCount > 0) {
      if (this.#form === 'lines') kernel.renderLines(this.#writer);
      else kernel.render(this.#writer, this.#isFirst);
      this.#isFirst = false;
    } else if (this.#stretch < this.#stretches.length) this.#writeRow(); // It alone is too large.
    return true;
  }

  /** Lays the rest of the stretch into the kernel. Returns false when there is none, no room for all of it, or the turn is over. */
  #fill(kernel: PageKernel): boolean {
    const stretch = this.#stretches[this.#stretch];
    if (stretch === undefined) return false;
    const { run, rows } = stretch;
    const shared = this.#rowsOf(run);
    const { source } = shared;
    const { entities, types, positions, versions, timestamps, recordedAts } = shared.columns;
    const { doubles, ids } = kernel;
    const text = this.#text;
    const head = this.#head;
    let headBytesMax = 0;
    let entityOfHead = -1;
    let typeOfHead = -1;
    for (let i = this.#next; i < rows.length; i++) {
      const row = rows[i] as number;
      const entity = entities[row] as number;
      const type = types[row] as number;
      const isHeadSame = entity === entityOfHead && type === typeOfHead;
      if (!isHeadSame) {
        shared.placeHead(entity, type, head);
        headBytesMax = head.bytesMax;
        entityOfHead = entity;
        typeOfHead = type;
      }
      source.placeText(row, text);
      if (!kernel.takeRoom(headBytesMax, text)) {
        this.#next = i;
        return false;
      }
      if (!isHeadSame) kernel.takeHead(head);
      const random = source.eventIdRandom(row);
      const record = kernel.takeRow(text, random);
      if (random === NO_RANDOM) source.copyEventId(row, ids[record] as Buffer);
      const numbers = record * ROW_DOUBLES;
      doubles[numbers + TIMESTAMP] = timestamps[row] as number;
      doubles[numbers + RECORDED_AT] = recordedAts[row] as number;
      doubles[numbers + VERSION] = versions[row] as number;
      doubles[numbers + POSITION] = source.firstPosition + (positions[row] as number);
      if (--this.#rowsToLook > 0) continue;
      this.#rowsToLook = ROWS_A_LOOK;
      if (!this.#pace.isTurnOver) continue;
      this.#next = i + 1;
      if (this.#next === rows.length) this.#nextStretch();
      return false;
    }
    this.#nextStretch();
    return true;
  }

  #nextStretch(): void {
    this.#stretch += 1;
    this.#next = 0;
  }

  /** Writes the next row without the kernel. */
  #writeRow(): void {
    const { run, rows } = must(this.#stretches[this.#stretch], 'a stretch that is not written');
    const row = rows[this.#next];
    if (row !== undefined) {
      if (this.#form === 'list' && !this.#isFirst) this.#writer.text(',');
      this.#writeEvent(this.#writer, run.event(row));
      this.#isFirst = false;
      this.#next += 1;
    }
    if (this.#next === rows.length) this.#nextStretch();
  }

  #rowsOf({ source }: EventRun): SourceRows {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    const rows = new SourceRows(source);
    // Columns that are kept cannot be dropped: those of few sources are.
    if (this.#sources.size >= SOURCES_MAX[this.#form]) this.#sources.clear();
    this.#sources.set(source, rows);
    return rows;
  }
}
