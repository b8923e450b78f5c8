import {
  type Call,
  readBody,
  requireJson,
  requireWellFormedJson,
  type Route,
} from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { Parameters, parseEventQuery, queryOfUrl } from '@allsource/shared/protocol';
import { API_BASES } from '../gateway/api-path.ts';
import { parametersOfDocument } from '../reads/query-document.ts';
import type { ReadCall } from '../reads/read-call.ts';
import { EventPages, type EventPagesOptions, type PageForm } from './event-pages.ts';

const BODY_BYTES_MAX = 64 * 1024;
const OPEN_BRACE = 0x7b;
/** Members of the echo that are numbers, as callers sent them. */
const NUMBERS = new Set(['limit', 'offset', 'min_position']);

/** Queries over events as documents. */
export function queryDocumentRoutes(options: EventPagesOptions): Route[] {
  const pages = new EventPages(options);
  return API_BASES.map((base) => ({
    method: 'POST',
    path: `${base}/query`,
    needs: 'read',
    summary: 'Events by a query that is a JSON document.',
    handle: async (call) => pages.answer(await readCallOf(call), FORM),
  }));
}

const FORM: PageForm = {
  list: 'data',
  namesVersion: true,
  query: (call) => parseEventQuery(call.query, LIMITS.pageEventsDefault),
  extra: (call) => `,"query":${echo(call)}`,
};

/** The document's members in the place of parameters; those of the URL count where the document does not name them. */
async function readCallOf(call: Call): Promise<ReadCall> {
  requireJson(call.request);
  const body = await readBody(call.request, BODY_BYTES_MAX);
  requireWellFormedJson(body);
  if (body.toString('latin1').trimStart().charCodeAt(0) !== OPEN_BRACE)
    throw problem('invalid_body', 'The body must be a JSON object.');
  const values = queryOfUrl(call.request.originalUrl);
  for (const [name, value] of parametersOfDocument(body)) values.set(name, value);
  values.sort();
  return {
    query: new Parameters(values),
    // Answers are kept by it, and no other route has it.
    request: { originalUrl: `/api/v1/query?${values.toString()}` },
    response: call.response,
    tenant: () => call.tenant(values.get('tenant_id')),
    pathParameter: (name) => call.pathParameter(name),
  };
}

/** The query as it was understood. */
function echo({ request }: ReadCall): string {
  const members = [...queryOfUrl(request.originalUrl)].map(([name, value]) => [
    name,
    NUMBERS.has(name) ? Number(value) : value,
  ]);
  return JSON.stringify({ from: 'events', ...Object.fromEntries(members) });
}
