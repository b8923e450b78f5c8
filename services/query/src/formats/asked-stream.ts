import type { AskedUpcast } from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import {
  type EventQuery,
  Parameters,
  parseEventQuery,
  queryOfUrl,
} from '@allsource/shared/protocol';
import type { ReadCall } from '../reads/read-call.ts';
import { type ReadWish, readWish } from '../reads/read-gate.ts';
import { askedUpcast } from '../schemas/upcasting.ts';

const POSITION_MAX = Number.MAX_SAFE_INTEGER;
/** The order of the log, which only streams offer: pages of JSON stand in the order of time. */
const LOG_ORDER = 'position';

/** A request for a stream of events, read. */
export interface AskedStream {
  readonly query: EventQuery;
  readonly wish: ReadWish;
  readonly upcast: AskedUpcast;
  /** Null: in the order that the query names. */
  readonly logOrder: { readonly from: number; readonly until: number } | null;
}

/** Reads the parameters of a stream: those of a query, and beside them the order of the log with its bounds. */
export function readAskedStream(call: ReadCall): AskedStream {
  const { query: parameters } = call;
  refuseOfPages(parameters);
  const wish = readWish(parameters);
  const upcast = askedUpcast(parameters);
  const from = parameters.integer('from_position', { min: 0, max: POSITION_MAX });
  const until = parameters.integer('until_position', { min: 0, max: POSITION_MAX });
  if (parameters.text('order')?.toLowerCase() !== LOG_ORDER) {
    if (from !== null || until !== null) throw boundsWithoutOrder(from === null);
    return { query: parseEventQuery(parameters), wish, upcast, logOrder: null };
  }
  return {
    query: parseEventQuery(withoutOrder(call.request.originalUrl)),
    wish,
    upcast,
    logOrder: { from: from ?? 0, until: until ?? POSITION_MAX },
  };
}

function withoutOrder(url: string): Parameters {
  const values = queryOfUrl(url);
  values.delete('order');
  return new Parameters(values);
}

/** Refuses what only streams have, where a page of JSON is asked for: passed over, it would answer with more than was meant. */
export function refuseOfStreams(parameters: Parameters): void {
  for (const parameter of ['from_position', 'until_position']) {
    if (parameters.integer(parameter, { min: 0, max: POSITION_MAX }) === null) continue;
    throw problem(
      'invalid_parameter',
      `'${parameter}' belongs to streams in the order of the log: ask for application/x-ndjson with order=${LOG_ORDER}. Pages of JSON go on with 'cursor'.`,
      { parameter },
    );
  }
}

function refuseOfPages(parameters: Parameters): void {
  for (const parameter of ['cursor', 'explain']) {
    if (parameters.text(parameter) === null) continue;
    throw problem(
      'invalid_parameter',
      `'${parameter}' belongs to pages of JSON; a stream goes to its end by itself. Leave it out, or ask for application/json.`,
      { parameter },
    );
  }
}

function boundsWithoutOrder(isUntil: boolean): Error {
  const parameter = isUntil ? 'until_position' : 'from_position';
  return problem(
    'invalid_parameter',
    `'${parameter}' needs order=${LOG_ORDER}: positions bound nothing in the order of time.`,
    { parameter },
  );
}
