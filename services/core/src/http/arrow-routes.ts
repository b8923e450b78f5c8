/**
 * The Arrow lane: events as columns, for callers inside (importers, connectors, other services of the store). The body is an Arrow IPC stream of any length;
 * each record batch is one commit, and is acknowledged when it is durable. group-stream.ts has the promises, arrow-columns.ts the columns.
 *
 * Who holds the internal token may write for every tenant, so the caller names one.
 */
import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from '@allsource/shared/errors';
import { quoted, tenantIdFault } from '@allsource/shared/model';
import { allowLongRequest, type Call, type Route } from '@allsource/service-kit/http';
import type { IngestLimits } from '../append/ingest-request.ts';
import { arrowBatches } from '../arrow/arrow-batches.ts';
import { loadArrow } from '../arrow/arrow-library.ts';
import { streamKey } from './append-route.ts';
import { bodyChunks, requireIdentityEncoding } from './body-chunks.ts';
import { GroupStream, type GroupStreamParts } from './group-stream.ts';

export const ARROW_PATH = '/internal/v1/events/arrow';
export const ARROW_CONTENT_TYPE = 'application/vnd.apache.arrow.stream';

export interface ArrowRoutesOptions extends GroupStreamParts {
  readonly limits: IngestLimits & { readonly bodyBytesMax: number };
  readonly hasTenant: (tenantId: string) => boolean;
  /** A problem while the service takes no appends (it is stopping); null otherwise. */
  readonly closedFor: () => Problem | null;
}

export function arrowRoutes(options: ArrowRoutesOptions): Route[] {
  return [
    {
      method: 'POST',
      path: ARROW_PATH,
      needs: 'internal',
      summary: 'Append record batches of an Arrow IPC stream, each all or nothing.',
      handle: (call) => append(call, options),
    },
  ];
}

async function append(call: Call, options: ArrowRoutesOptions): Promise<void> {
  const { request, response } = call;
  const tenant = tenantOf(call, options);
  requireArrow(request);
  requireIdentityEncoding(request);
  const key = streamKey(request.headers);
  requireOpen(options);
  allowLongRequest(request);
  const arrow = await loadArrow();
  const groups = arrowBatches({
    ...options,
    arrow,
    chunks: bodyChunks(request),
    isDigested: key !== null,
  });
  await new GroupStream({
    ...options,
    request,
    response,
    key,
    groups,
    unit: 'row',
    tenantOf: () => tenant,
    requireOpen: () => requireOpen(options),
  }).run();
}

function requireOpen({ closedFor }: ArrowRoutesOptions): void {
  const closed = closedFor();
  if (closed !== null) throw closed;
}

function tenantOf(call: Call, { hasTenant }: ArrowRoutesOptions): string {
  const tenant = call.query.requiredText('tenant_id');
  const fault = tenantIdFault(tenant);
  if (fault !== null) throw problem('invalid_tenant_id', fault);
  if (hasTenant(tenant)) return tenant;
  throw problem('tenant_not_found', `There is no tenant ${quoted(tenant)}. Create it first.`);
}

function requireArrow(request: IncomingMessage): void {
  const type = request.headers['content-type'] ?? '';
  if (type.split(';')[0]?.trim().toLowerCase() === ARROW_CONTENT_TYPE) return;
  throw problem(
    'unsupported_media_type',
    `Content-Type '${type}' is not accepted here; send ${ARROW_CONTENT_TYPE}.`,
    { accepted: [ARROW_CONTENT_TYPE] },
  );
}
