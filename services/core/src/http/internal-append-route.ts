/**
 * Appends of the other services of the store, for any tenant: what pipelines put out. They pass everything that a client's append passes: form, limits, schemas,
 * idempotency. The body is that of `POST /api/v1/events/batch`, with the tenant in the query; the answer says the positions.
 */
import type { Principal } from '@allsource/shared/access';
import { type Call, readBodyParts, requireJson, type Route } from '@allsource/service-kit/http';
import { INTERNAL_APPEND_PATH } from '@allsource/shared/protocol';
import { type AppendRoute, BATCH_PATH, idempotencyKey } from './append-route.ts';

/** Routes that append for the services of the store. */
export function internalAppendRoutes(route: AppendRoute): Route[] {
  return [
    {
      method: 'POST',
      path: INTERNAL_APPEND_PATH,
      needs: 'internal',
      summary: 'Append a batch of events for a tenant, all or nothing.',
      handle: (call) => append(call, route),
    },
  ];
}

async function append(call: Call, route: AppendRoute): Promise<void> {
  const { headers } = call.request;
  const tenantId = call.query.requiredText('tenant_id');
  requireJson(call.request);
  route.requireOpen();
  const hold = route.bodies.hold();
  try {
    const parts = await readBodyParts(call.request, route.bodyBytesMax, hold);
    const query = `tenant_id=${encodeURIComponent(tenantId)}`;
    const { body, isReplay } = await route.append(
      {
        head: { path: BATCH_PATH, query, headers: {}, isUnversioned: false },
        principal: principalFor(tenantId),
        key: idempotencyKey(headers),
      },
      parts,
    );
    const { response } = call;
    response.setHeader('content-type', 'application/json; charset=utf-8');
    if (isReplay) response.setHeader('idempotent-replayed', 'true');
    response.end(body.bytes, body.release);
  } finally {
    hold.release();
  }
}

function principalFor(tenantId: string): Principal {
  return {
    kind: 'token',
    id: 'internal',
    name: 'internal',
    tenantId,
    role: 'serviceaccount',
    expiresAtMs: null,
  };
}
