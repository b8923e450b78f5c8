/** A stream of lines through the gateway to the real core: both directions flow at once, the key decides the tenant, and no limit of a body applies. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LaneClient } from '@allsource/testkit';
import { RunningStore } from '../support/running-store.ts';

const line = (entity: string, n: number, rest = '') =>
  `{"event_type":"line.sent","entity_id":"${entity}","payload":{"n":${n}}${rest}}\n`;

describe('lines through the gateway', () => {
  let store: RunningStore;
  let key: string;

  beforeAll(async () => {
    store = await RunningStore.start({ ALLSOURCE_BODY_BYTES_MAX: String(64 * 1024) });
    await store.post('/api/v1/tenants', { id: 'acme', name: 'acme' });
    const made = { name: 'k', role: 'developer', tenant_id: 'acme' };
    key = (await store.post('/api/v1/auth/api-keys', made)).body.key;
  });

  afterAll(async () => {
    await store?.remove();
  });

  function client(query = '', headers: Record<string, string> = {}): LaneClient {
    return new LaneClient({
      url: store.url,
      path: `/api/v1/events/batch${query}`,
      headers: { authorization: `Bearer ${key}`, ...headers },
    });
  }

  async function eventsOf(entity: string): Promise<unknown[]> {
    const answer = await store.ask(`/api/v1/events/query?entity_id=${entity}`, { key });
    return answer.body.events;
  }

  it('are acknowledged while more are being sent, and stored for the tenant of the key', async () => {
    const sent = client('?group_lines=1');
    for (let n = 1; n <= 3; n++) {
      await sent.write(line('duplex', n));
      await sent.until(n);
    }
    await sent.end();
    expect(sent.status).toBe(200);
    expect(sent.lines).toMatchObject([
      { kind: 'group' },
      { kind: 'group' },
      { kind: 'group' },
      { kind: 'summary', events: 3, groups: 3 },
    ]);
    expect(await eventsOf('duplex')).toMatchObject([
      { tenant_id: 'acme', payload: { n: 1 } },
      { payload: { n: 2 } },
      { payload: { n: 3 } },
    ]);
  });

  it('may be many times as long as a body', async () => {
    const sent = client();
    for (let i = 0; i < 40; i++)
      await sent.write(Array.from({ length: 500 }, (_, n) => line(`long-${n % 9}`, n)).join(''));
    await sent.end();
    expect(sent.lines.at(-1)).toMatchObject({ kind: 'summary', lines: 20_000, events: 20_000 });
  });

  it('that name another tenant, are bad, or come without a key are refused in the form of the gateway', async () => {
    const foreign = await client().end(line('x', 1, ',"tenant_id":"default"'));
    expect([foreign.status, JSON.parse(foreign.text).error.code]).toEqual([403, 'forbidden']);
    const bad = await client().end('{\n');
    expect([bad.status, JSON.parse(bad.text).error.code]).toEqual([400, 'malformed_json']);
    expect(JSON.parse(bad.text)).toMatchObject({ line: 1 });
    const nobody = await client('', { authorization: 'Bearer nobody' }).end(line('x', 1));
    expect(nobody.status).toBe(401);
    expect(await eventsOf('x')).toEqual([]);
  });

  it('stop at a bad one with a line that says so, behind what was acknowledged', async () => {
    const body = `${line('stop', 1)}${line('stop', 2)}nonsense\n${line('stop', 4)}`;
    const sent = await client('?group_lines=2').end(body);
    expect(sent.lines).toMatchObject([
      { kind: 'group', last_line: 2 },
      { kind: 'problem', code: 'malformed_json', line: 3, durable_lines: 2 },
    ]);
    expect(await eventsOf('stop')).toHaveLength(2);
  });

  it('whose client goes away leave what was acknowledged', async () => {
    const sent = client('?group_lines=2');
    await sent.write(line('gone', 1) + line('gone', 2) + line('gone', 3));
    await sent.until(1);
    sent.abandon();
    // Another stream behind it shows that core goes on.
    expect((await client().end(line('after', 1))).lines).toHaveLength(2);
    expect(await eventsOf('gone')).toHaveLength(2);
  });
});
