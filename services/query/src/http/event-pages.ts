import type { AskedUpcast } from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { EventQuery, Parameters } from '@allsource/shared/protocol';
import type { Catalog } from '../catalog/catalog.ts';
import type { EventHistory } from '../history/event-history.ts';
import { AnswerCache, type CachedAnswer } from '../reads/answer-cache.ts';
import type { AnswerKey } from '../reads/answer-order.ts';
import { type Around, writePage } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { budgetOf, type QueryLimits } from '../reads/query-budget.ts';
import { cursorAfter, readCursor } from '../reads/query-cursor.ts';
import type { ReadCall } from '../reads/read-call.ts';
import { readEvents } from '../reads/read-events.ts';
import { type ReadGate, type ReadWish, readWish, stampPosition } from '../reads/read-gate.ts';
import { writeUpcastPage } from '../schemas/upcast-output.ts';
import {
  askedUpcast,
  beginUpcast,
  type Upcasting,
  type UpcastReading,
} from '../schemas/upcasting.ts';

export interface EventPagesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
  /** What one query may cost; the defaults when left out. */
  readonly limits?: QueryLimits;
  /** Answers kept; none when left out. */
  readonly answers?: EventAnswers;
  /** Brings payloads into the form of newer schemas; not available when left out. */
  readonly upcasting?: Upcasting;
}

/** A request for a page of events, read. */
export interface AskedPage {
  readonly query: EventQuery;
  readonly after: AnswerKey | null;
  readonly wish: ReadWish;
  readonly isExplained: boolean;
  readonly upcast: AskedUpcast;
  /** Members behind the position. */
  readonly end: string;
}

/** The answers to pages that are kept. */
export type EventAnswers = AnswerCache<AskedPage>;

/** How one route asks and answers. */
export interface PageForm {
  /** The member that holds the events. Never `data` beside `events`: clients take either name for the same field and refuse both. */
  readonly list: 'events' | 'data';
  readonly query: (call: ReadCall) => EventQuery;
  /** Whether an answer about one entity names its version. */
  readonly namesVersion: boolean;
  /** Further members, before and behind the position. */
  readonly extra?: (call: ReadCall) => string;
  readonly end?: (call: ReadCall) => string;
}

/** Answers pages of events: from the bytes of an earlier answer where the entity has not moved on, out of the history otherwise. */
export class EventPages {
  readonly #options: EventPagesOptions;
  readonly #answers: EventAnswers;

  constructor(options: EventPagesOptions) {
    this.#options = options;
    this.#answers = options.answers ?? new AnswerCache(0);
  }

  async answer(call: ReadCall, form: PageForm): Promise<void> {
    const { gate, history } = this.#options;
    const tenant = call.tenant();
    const key = `${tenant}\n${call.request.originalUrl}`;
    const known = this.#answers.find(key);
    const asked = known?.asked ?? readPage(call, form, tenant);
    await gate.pass(asked.wish);
    const reading = await beginUpcast(this.#options.upcasting, asked);
    const position = stampPosition(call, history.appliedPosition);
    const isKnown =
      known !== undefined && known.entityVersion === this.#entityVersion(tenant, asked);
    this.#answers.countUse(isKnown);
    if (isKnown) answerAgain(call, known, position);
    else await this.#answerFresh(call, form, { asked, tenant, key, position, reading });
  }

  #entityVersion(tenant: string, { query }: AskedPage): number {
    return query.entity === null
      ? 0
      : this.#options.catalog.tenant(tenant).entityEventCount(query.entity);
  }

  async #answerFresh(
    call: ReadCall,
    form: PageForm,
    read: {
      readonly asked: AskedPage;
      readonly tenant: string;
      readonly key: string;
      readonly position: Position;
      readonly reading: UpcastReading | null;
    },
  ): Promise<void> {
    const { asked, tenant, key, position, reading } = read;
    const { query, after, end } = asked;
    const { generation } = this.#answers;
    const entityVersion = this.#entityVersion(tenant, asked);
    const budget = budgetOf(call, this.#options.limits);
    const page = await readEvents(this.#options.history, {
      tenant,
      query,
      after,
      untilPosition: position,
      budget,
    });
    const behind = positionText(position, end);
    const around: Around = {
      head: `{"${form.list}":[`,
      tail: () => {
        const { count, totalCount, hasMore, last } = page;
        const next =
          hasMore && last !== null
            ? `,"next_cursor":"${cursorAfter(last, { tenant, query })}"`
            : '';
        const version =
          form.namesVersion && query.entity !== null ? `,"entity_version":${entityVersion}` : '';
        const explained = asked.isExplained
          ? `,"explain":${JSON.stringify(page.explanation.shown(budget))}`
          : '';
        const extra = form.extra?.(call) ?? '';
        const failures = reading === null ? '' : `,"upcast_errors":${reading.failures}`;
        return `],"count":${count},"total_count":${totalCount},"has_more":${hasMore}${next}${version}${extra}${explained}${failures}${behind}`;
      },
    };
    const writer = new JsonWriter(call.response);
    if (reading !== null) {
      await writeUpcastPage(writer, page, { ...around, reading });
      return;
    }
    const isKept = query.entity !== null && !asked.isExplained && this.#answers.wants(key);
    const answer = await writePage(writer, page, { ...around, isKept });
    if (answer === null) return;
    const body = answer.subarray(0, answer.length - Buffer.byteLength(behind));
    this.#answers.keep(key, { asked, entityVersion, body }, generation);
  }
}

function readPage(call: ReadCall, form: PageForm, tenant: string): AskedPage {
  const parameters: Parameters = call.query;
  const query = form.query(call);
  const cursor = parameters.name('cursor');
  const after = cursor === null ? null : readCursor(cursor, { tenant, query });
  if (after !== null && query.offset > 0) throw offsetBesideCursor();
  return {
    query,
    after,
    wish: readWish(parameters),
    isExplained: parameters.flag('explain') === true,
    upcast: askedUpcast(parameters),
    end: form.end?.(call) ?? '',
  };
}

function answerAgain(
  call: ReadCall,
  { asked, body }: CachedAnswer<AskedPage>,
  position: Position,
): void {
  const { response } = call;
  const behind = positionText(position, asked.end);
  if ('endKept' in response) response.endKept(body, behind);
  else {
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('content-length', body.length + Buffer.byteLength(behind));
    response.write(body);
    response.end(behind);
  }
}

function positionText(position: Position, end: string): string {
  return `,"position":${position}${end}}`;
}

function offsetBesideCursor(): Error {
  return problem(
    'invalid_parameter',
    "'offset' cannot stand beside 'cursor': a cursor says itself where the page begins.",
    { parameter: 'offset' },
  );
}
