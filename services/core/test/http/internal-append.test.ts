import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { INTERNAL_APPEND_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { CoreWorld } from '../support/core-world.ts';

const TOKEN = 'internal-token-of-the-test';
const EVENTS = { events: [{ event_type: 'a.b', entity_id: 'e', payload: { n: 1 } }] };

describe('appends of the services of the store', () => {
  let core: CoreWorld;
  let acme = '';

  beforeEach(async () => {
    core = await CoreWorld.start({ ALLSOURCE_INTERNAL_TOKEN: TOKEN });
    acme = await core.addTenant('acme');
  });
  afterEach(() => core.remove());

  const append = (tenant: string, headers: Record<string, string>, body: unknown = EVENTS) =>
    core.ask('POST', `${INTERNAL_APPEND_PATH}?tenant_id=${tenant}`, { body, headers });
  const inside = { [INTERNAL_TOKEN_HEADER]: TOKEN };

  it('are stored for the tenant that is named, once for each key', async () => {
    const keyed = { ...inside, 'idempotency-key': 'k' };
    const first = await append('acme', keyed);
    expect(first).toMatchObject({ status: 200, body: { count: 1 } });
    const again = await append('acme', keyed);
    expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([first.text, 'true']);
    const other = { events: [{ ...EVENTS.events[0], payload: { n: 2 } }] };
    const reused = await append('acme', keyed, other);
    expect(reused).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    const read = await core.ask('GET', '/api/v1/events/query?entity_id=e', { key: acme });
    expect(read.body.total_count).toBe(1);
    expect((await core.ask('GET', '/api/v1/events/query?entity_id=e')).body.total_count).toBe(0);
  });

  it('are taken from no client, and pass the checks of a client', async () => {
    expect((await append('acme', {})).status).toBe(401);
    expect((await append('nobody', inside)).status).toBe(404);
    const system = { events: [{ ...EVENTS.events[0], event_type: '_system.x' }] };
    expect((await append('acme', inside, system)).status).toBe(400);
    const set = { body: { subject: 'a.b', schema: { required: ['sku'] } }, key: acme };
    await core.ask('POST', '/api/v1/schemas', set);
    const strict = { body: { schema_enforcement: 'strict' } };
    await core.ask('PUT', '/api/v1/tenants/acme/schema-enforcement', strict);
    expect(await append('acme', inside)).toMatchObject({
      status: 422,
      body: { code: 'schema_violation' },
    });
  });
});
