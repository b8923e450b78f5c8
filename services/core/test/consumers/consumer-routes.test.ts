import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerFold } from '../../src/consumers/consumer-fold.ts';
import { KEYS, TestCore } from '../support/test-core.ts';

describe('a durable consumer', () => {
  let core: TestCore;

  beforeEach(async () => {
    core = await TestCore.start();
  });

  afterEach(() => core.close());

  const get = async (key: string, id: string) =>
    (await core.ask(key, `/api/v1/consumers/${encodeURIComponent(id)}`)).body;
  const register = (key: string, body: unknown) =>
    core.ask(key, 'POST /api/v1/consumers', { body });
  const ack = (key: string, id: string, position: unknown) =>
    core.ask(key, `POST /api/v1/consumers/${encodeURIComponent(id)}/ack`, { body: { position } });

  it('is there for every id, and reading it writes nothing', async () => {
    const head = core.log.head;
    expect(await get(KEYS.acme, 'nobody')).toEqual({
      consumer_id: 'nobody',
      event_type_filters: [],
      cursor_position: null,
    });
    expect(core.log.head).toBe(head);
  });

  it('is registered, and registered again with its cursor kept', async () => {
    core.log.append('acme', [{}, {}]);
    const first = await register(KEYS.acme, {
      consumer_id: 'c',
      event_type_filters: ['order.*', 'x.y'],
    });
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      consumer_id: 'c',
      event_type_filters: ['order.*', 'x.y'],
      cursor_position: null,
    });
    await ack(KEYS.acme, 'c', core.log.head - 1);
    const cursor = (await get(KEYS.acme, 'c')).cursor_position;
    const again = await register(KEYS.acme, { consumer_id: 'c' });
    expect(again.body).toEqual({
      consumer_id: 'c',
      event_type_filters: [],
      cursor_position: cursor,
    });
  });

  it('costs no write when nothing about it is new', async () => {
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['a.*'] });
    await ack(KEYS.acme, 'c', 2);
    const head = core.log.head;
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['a.*'] });
    await ack(KEYS.acme, 'c', 1);
    await ack(KEYS.acme, 'c', 2);
    expect(core.log.head).toBe(head);
    expect((await get(KEYS.acme, 'c')).cursor_position).toBe(2);
  });

  it('never goes back, in whatever order acknowledgements arrive', async () => {
    for (let i = 0; i < 60; i++) core.log.append('acme', [{}]);
    const positions = Array.from({ length: 50 }, (_, i) => ((i * 17) % 50) + 1);
    const answers = await Promise.all(positions.map((position) => ack(KEYS.acme, 'c', position)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect((await get(KEYS.acme, 'c')).cursor_position).toBe(50);
  });

  it('acknowledges nothing beyond the head, in the words clients know', async () => {
    const { head } = core.log;
    const answer = await ack(KEYS.acme, 'c', head + 1);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe(
      `Invalid input: Position ${head + 1} is beyond the latest event offset ${head}`,
    );
    expect((await ack(KEYS.acme, 'c', 0)).body).toMatchObject({ status: 'ok', position: 0 });
    expect((await ack(KEYS.acme, 'c', head)).body).toMatchObject({
      status: 'ok',
      consumer_id: 'c',
      position: head,
    });
  });

  it.each([-1, 1.5, '7', null, undefined])('refuses to acknowledge %p', async (position) => {
    expect((await ack(KEYS.acme, 'c', position)).status).toBe(422);
  });

  it.each([
    {},
    { consumer_id: 7 },
    { consumer_id: 'c', event_type_filters: 'a.*' },
    { consumer_id: 'c', event_type_filters: [1] },
    { consumer_id: 'c', event_type_filters: [''] },
    { consumer_id: 'c', event_type_filters: Array.from({ length: 101 }, () => 'a') },
  ])('refuses to register %j', async (body) => {
    expect((await register(KEYS.acme, body)).status).toBe(422);
  });

  it('needs a usable id', async () => {
    expect((await register(KEYS.acme, { consumer_id: ' ' })).status).toBe(400);
    expect((await core.ask(KEYS.acme, `/api/v1/consumers/${'x'.repeat(129)}`)).status).toBe(400);
  });

  it('may have colons, slashes and spaces in its id', async () => {
    const id = 'a:b/c d%é';
    await register(KEYS.acme, { consumer_id: id });
    await ack(KEYS.acme, id, 3);
    expect(await get(KEYS.acme, id)).toMatchObject({ consumer_id: id, cursor_position: 3 });
  });

  it('polls the next events of its own tenant and filter, and keeps its cursor', async () => {
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['order.*'] });
    core.log.append('globex', [{ type: 'order.placed' }]);
    const frame = core.log.append('acme', [
      { type: 'order.placed', payload: '{"n":1.0}' },
      { type: 'noise' },
      { type: 'order.paid' },
      { type: 'order.sent' },
    ]);
    const poll = (query: string) => core.ask(KEYS.acme, `/api/v1/consumers/c/events${query}`);
    const { body, text } = await poll('?limit=2');
    expect(body.count).toBe(2);
    expect(body.events.map((event: { position: number }) => event.position)).toEqual([
      frame.position,
      frame.position + 2,
    ]);
    expect(text).toContain('"payload":{"n":1.0}');
    expect(body.events[0]).toMatchObject({ event_type: 'order.placed', version: 1 });
    await ack(KEYS.acme, 'c', frame.position + 2);
    expect((await poll('')).body.events).toMatchObject([{ event_type: 'order.sent' }]);
    await ack(KEYS.acme, 'c', frame.lastPosition);
    expect((await poll('')).body).toEqual({ events: [], count: 0 });
  });

  it('does not search the log twice for a consumer that has nothing to see', async () => {
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['rare'] });
    for (let i = 0; i < 100; i++) core.log.append('acme', [{}]);
    const poll = async () => (await core.ask(KEYS.acme, '/api/v1/consumers/c/events')).body.count;
    expect(await poll()).toBe(0);
    const read = core.log.framesRead;
    core.log.append('acme', [{ type: 'rare' }]);
    expect(await poll()).toBe(1);
    expect(await poll()).toBe(1);
    expect(core.log.framesRead - read).toBeLessThan(10);
  });

  it('belongs to its tenant alone', async () => {
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['a.*'] });
    await ack(KEYS.acme, 'c', 3);
    expect(await get(KEYS.globex, 'c')).toMatchObject({
      event_type_filters: [],
      cursor_position: null,
    });
    core.log.append('acme', [{}]);
    const polled = await core.ask(KEYS.globex, '/api/v1/consumers/c/events');
    expect(polled.body.count).toBe(0);
    const asAdmin = await core.ask(KEYS.admin, '/api/v1/consumers/c?tenant_id=acme');
    expect(asAdmin.body.cursor_position).toBe(3);
  });

  it('is changed only by who may write', async () => {
    expect((await register(KEYS.acmeReadOnly, { consumer_id: 'c' })).status).toBe(403);
    expect((await ack(KEYS.acmeReadOnly, 'c', 1)).status).toBe(403);
    expect((await core.ask(KEYS.acmeReadOnly, '/api/v1/consumers/c')).status).toBe(200);
  });

  it('is what the log says: a new fold of the log gives the same consumer', async () => {
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['a.*'] });
    await ack(KEYS.acme, 'c', 5);
    await register(KEYS.acme, { consumer_id: 'c', event_type_filters: ['b.*'] });
    const fold = new ConsumerFold();
    for (const frame of core.log.frames) fold.apply(frame);
    for (const frame of core.log.frames) fold.apply(frame);
    expect(fold.find('acme', 'c')).toMatchObject({ cursor: 5, filter: { patterns: ['b.*'] } });
    expect(fold.tenantsOf('c')).toEqual(['acme']);
  });
});
