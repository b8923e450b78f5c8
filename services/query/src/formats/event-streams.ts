/**
 * Answers of any length as NDJSON or Arrow, made while they are read. Memory is bounded: a stretch of row numbers, one batch, and what the socket holds; the
 * history is read no faster than the client reads the answer.
 *
 * An answer is true at the position that its header names, whatever is appended while it is sent. A failure in the middle cuts the connection: the answer is
 * then not ended as HTTP and Arrow end one, so no client takes it for whole. Header `x-allsource-count` says how many events a whole one holds, where
 * that is known without reading payloads.
 */
import type { Call } from '@allsource/service-kit/http';
import { Turns } from '@allsource/service-kit/turns';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, position } from '@allsource/shared/model';
import { type EventQuery, STREAM_MEDIA_TYPES, type StreamFormat } from '@allsource/shared/protocol';
import type { Catalog } from '../catalog/catalog.ts';
import type { EventHistory, EventSelection, RowStretches } from '../history/event-history.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { QUERY_LIMITS_DEFAULT, QueryBudget, type QueryLimits } from '../reads/query-budget.ts';
import { readEvents } from '../reads/read-events.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import { beginUpcast, type Upcasting } from '../schemas/upcasting.ts';
import { ArrowEncoder } from './arrow-encoder.ts';
import { loadArrow } from './arrow-library.ts';
import { type AskedStream, readAskedStream } from './asked-stream.ts';
import type { EventEncoder } from './event-encoder.ts';
import { countInLogOrder, type LogOrderWanted, rowsInLogOrder } from './log-order.ts';
import { NdjsonEncoder } from './ndjson-encoder.ts';
import { StreamSink } from './stream-sink.ts';
import { writeUpcastLines } from './upcast-lines.ts';

export const COUNT_HEADER = 'x-allsource-count';

export interface EventStreamsOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
  /** What finding the events of one answer may cost; the defaults when left out. */
  readonly limits?: QueryLimits;
  /** Brings payloads into the form of newer schemas; not available when left out. */
  readonly upcasting?: Upcasting;
}

/** Events found, and how many they are; null when only reading them tells. */
interface FoundStream {
  readonly rows: AsyncIterable<RowStretches>;
  readonly count: number | null;
}

export class EventStreams {
  readonly #options: EventStreamsOptions;
  #open = 0;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** Answers a query as a stream. Throws `overloaded` when too many are being sent. */
  async answer(call: Call, format: StreamFormat): Promise<void> {
    if (this.#open >= LIMITS.exportsMax) throw tooManyStreams();
    this.#open += 1;
    try {
      await this.#answer(call, format);
    } finally {
      this.#open -= 1;
    }
  }

  async #answer(call: Call, format: StreamFormat): Promise<void> {
    const { gate, history, catalog } = this.#options;
    const tenant = call.tenant();
    const asked = readAskedStream(call);
    const arrow = format === 'arrow' ? await loadArrow() : null;
    await gate.pass(asked.wish);
    const reading = await beginUpcast(this.#options.upcasting, asked);
    if (reading !== null && arrow !== null) throw upcastInArrow();
    // In the same turn, so that the types are those of this position.
    const applied = stampPosition(call, history.appliedPosition);
    const types = catalog.tenant(tenant).typeNames();
    const found = await this.#find(call, { asked, tenant, applied });
    const headers = {
      'content-type': STREAM_MEDIA_TYPES[format],
      ...(found.count === null ? {} : { [COUNT_HEADER]: String(found.count) }),
    };
    const writer = new JsonWriter(new StreamSink(call.response, headers));
    if (reading !== null) {
      await writeUpcastLines(found.rows, { writer, reading });
      return;
    }
    const turns = new Turns();
    const encoder =
      arrow === null
        ? new NdjsonEncoder(writer, turns)
        : new ArrowEncoder(arrow, { writer, tenant, types });
    await write(found.rows, { encoder, writer, turns });
  }

  #find(
    call: Call,
    question: { readonly asked: AskedStream; readonly tenant: string; readonly applied: Position },
  ): Promise<FoundStream> {
    const isAbandoned = () => call.response.destroyed;
    return question.asked.logOrder === null
      ? this.#findInTimeOrder(question, isAbandoned)
      : this.#findInLogOrder(question, isAbandoned);
  }

  async #findInTimeOrder(
    {
      asked: { query },
      tenant,
      applied,
    }: { asked: AskedStream; tenant: string; applied: Position },
    isAbandoned: () => boolean,
  ): Promise<FoundStream> {
    const limits = { ...(this.#options.limits ?? QUERY_LIMITS_DEFAULT) };
    const page = await readEvents(this.#options.history, {
      tenant,
      query,
      after: null,
      untilPosition: applied,
      budget: new QueryBudget({ limits, isAbandoned }),
    });
    // The time is for finding; how long the sending takes is up to the client.
    limits.msMax = Number.POSITIVE_INFINITY;
    return { rows: inTurns(page.rows(), page.budget), count: windowOf(page.totalCount, query) };
  }

  async #findInLogOrder(
    { asked, tenant, applied }: { asked: AskedStream; tenant: string; applied: Position },
    isAbandoned: () => boolean,
  ): Promise<FoundStream> {
    const { query, logOrder } = asked;
    const limits = { rowsMax: Number.POSITIVE_INFINITY, msMax: Number.POSITIVE_INFINITY };
    const until = position(Math.min(applied, logOrder?.until ?? applied));
    const wanted: LogOrderWanted = {
      selection: { ...selectionOf(tenant, query), untilPosition: until },
      payloadFilter: query.payloadFilter,
      fromPosition: logOrder?.from ?? 0,
      offset: query.offset,
      limit: query.limit,
      budget: new QueryBudget({ limits, isAbandoned }),
    };
    const total = await countInLogOrder(this.#options.history, wanted);
    return {
      rows: rowsInLogOrder(this.#options.history, wanted),
      count: total === null ? null : windowOf(total, query),
    };
  }
}

function selectionOf(tenant: string, query: EventQuery): EventSelection {
  return {
    tenant,
    entity: query.entity ?? undefined,
    type: query.type ?? undefined,
    typePrefix: query.typePrefix ?? undefined,
    excludedTypePrefixes: query.excludedTypePrefixes,
    since: query.since ?? undefined,
    until: query.until ?? undefined,
    recordedUntil: query.recordedUntil ?? undefined,
  };
}

function windowOf(total: number, { offset, limit }: EventQuery): number {
  return Math.max(0, Math.min(total - offset, limit ?? Number.POSITIVE_INFINITY));
}

async function* inTurns(
  rows: Iterable<RowStretches>,
  budget: QueryBudget,
): AsyncGenerator<RowStretches> {
  for (const stretches of rows) {
    yield stretches;
    if (budget.isTurnOver) await budget.nextTurn();
  }
}

async function write(
  found: AsyncIterable<RowStretches>,
  {
    encoder,
    writer,
    turns,
  }: { readonly encoder: EventEncoder; readonly writer: JsonWriter; readonly turns: Turns },
): Promise<void> {
  for await (const stretches of found) {
    encoder.begin(stretches);
    while (encoder.takeSome()) {
      if (writer.isFull && !(await writer.flush())) return;
      await turns.next();
    }
  }
  encoder.end();
  writer.end();
}

function upcastInArrow(): Error {
  return problem(
    'invalid_parameter',
    "'upcast' goes with answers as JSON or NDJSON; Arrow answers have payloads as they are stored.",
    { parameter: 'upcast' },
  );
}

function tooManyStreams(): Error {
  return problem(
    'overloaded',
    `${LIMITS.exportsMax} answers as streams are being sent already. Try again when one has ended.`,
    { limit: LIMITS.exportsMax },
  );
}
