/** The integration test of the older TypeScript SDK and the smoke script of the newer one, each against the three addressings. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ADDRESSINGS, addressesOf, conformanceStore, TEST_KEY, unique } from './addressings.ts';
import { SdkConnectionError, SdkHttpError } from './sdk/transport.ts';
import { TypeScriptNewClient, TypeScriptOldClient } from './sdk/typescript.ts';

const FIDELITY = {
  string: 'hello',
  number: 42,
  float: 3.14,
  boolean: true,
  null_val: null,
  nested: { array: [1, 2, 3], deep: { key: 'value' } },
  unicode: '日本語 🦀',
};

const store = conformanceStore();

describe.each(ADDRESSINGS)('the TypeScript SDKs through %s', (addressing) => {
  let writer: TypeScriptOldClient;
  let reader: TypeScriptOldClient;
  let newer: TypeScriptNewClient;
  let newerReader: TypeScriptNewClient;

  beforeAll(() => {
    const { writes, reads } = addressesOf(store(), addressing);
    writer = new TypeScriptOldClient({ baseUrl: writes, apiKey: TEST_KEY });
    reader = new TypeScriptOldClient({ baseUrl: `${reads}//`, apiKey: TEST_KEY });
    newer = new TypeScriptNewClient({ baseUrl: writes, apiKey: TEST_KEY });
    newerReader = new TypeScriptNewClient({ baseUrl: reads, apiKey: TEST_KEY });
  });

  describe('the older one', () => {
    it('finds the services healthy', async () => {
      expect((await writer.getHealth()).status).toBe('healthy');
      expect((await reader.getHealth()).status).toBe('healthy');
    });

    it('reads a single event that it has appended, with its metadata', async () => {
      const entity_id = unique('ts-single');
      const acked = await writer.ingestEvent({
        event_type: 'sdk.test.created',
        entity_id,
        payload: { value: 42 },
        metadata: { source: 'ts-sdk' },
      });
      expect([typeof acked.event_id, typeof acked.timestamp]).toEqual(['string', 'string']);
      const { events, count } = await reader.queryEvents({ entity_id });
      expect([count, events[0]]).toMatchObject([
        1,
        {
          id: acked.event_id,
          payload: { value: 42 },
          metadata: { source: 'ts-sdk' },
          timestamp: acked.timestamp,
        },
      ]);
    });

    it('appends without metadata', async () => {
      const event = { event_type: 'sdk.test.minimal', entity_id: unique('ts-min'), payload: {} };
      expect((await writer.ingestEvent(event)).event_id).toMatch(/./);
    });

    it('appends a batch', async () => {
      const entity_id = unique('ts-batch');
      const answer = await writer.ingestBatch(
        Array.from({ length: 5 }, (_, index) => ({
          event_type: `sdk.test.batch.item${index}`,
          entity_id,
          payload: { index },
        })),
      );
      expect([answer.total, answer.ingested, answer.events.length]).toEqual([5, 5, 5]);
      expect(new Set(answer.events.map(({ event_id }) => event_id)).size).toBe(5);
      expect((await reader.queryEvents({ entity_id })).count).toBe(5);
    });

    it('filters by type, limits, and gets nothing for what is not there', async () => {
      const entity_id = unique('ts-filter');
      const event_type = `sdk.test.${entity_id.replaceAll('-', '_')}`;
      for (let seq = 0; seq < 3; seq++)
        await writer.ingestEvent({ event_type, entity_id, payload: { seq } });
      const typed = await reader.queryEvents({ event_type });
      expect(typed.events.map((event) => event.event_type)).toEqual(Array(3).fill(event_type));
      expect((await reader.queryEvents({ entity_id, limit: 2 })).events).toHaveLength(2);
      const nothing = await reader.queryEvents({ entity_id: unique('none') });
      expect([nothing.count, nothing.events]).toEqual([0, []]);
    });

    it('gets payloads back as they were, in order', async () => {
      const entity_id = unique('ts-fidelity');
      for (let seq = 0; seq < 5; seq++)
        await writer.ingestEvent({
          event_type: 'sdk.test.fidelity',
          entity_id,
          payload: { seq, ...FIDELITY },
        });
      const { events } = await reader.queryEvents({ entity_id });
      expect(events.map(({ payload }) => payload)).toEqual(
        [0, 1, 2, 3, 4].map((seq) => ({ seq, ...FIDELITY })),
      );
    });

    it('lists the projections', async () => {
      const { projections, total } = await reader.listProjections();
      expect([projections.map(({ name }) => name), total]).toEqual([
        expect.arrayContaining(['entity_snapshots', 'event_counters']),
        projections.length,
      ]);
    });
  });

  describe('the newer one', () => {
    it('runs its smoke script', async () => {
      expect((await newer.getHealth()).status).toBe('healthy');
      const entity_id = unique('smoke');
      const made = await newer.ingestEvent({
        event_type: 'smoke.test.created',
        entity_id,
        payload: { hello: 'world' },
        metadata: { source: 'smoke' },
      });
      expect(made).toEqual({
        id: expect.stringMatching(/./),
        timestamp: expect.any(String),
        version: 1,
      });
      // The script asks up to ten times; the first answer has it.
      const { events, count } = await newerReader.queryEvents({ entity_id });
      expect([count, events[0]?.id]).toEqual([1, made.id]);
    });

    it('appends a batch and knows the ids and versions', async () => {
      const entity_id = unique('ts-new-batch');
      const event = { event_type: 'sdk.test.batch', entity_id, payload: {} };
      const { count, events } = await newer.ingestBatch([event, event, event]);
      expect([count, events.map(({ version }) => version)]).toEqual([3, [1, 2, 3]]);
      expect(new Set(events.map(({ id }) => id)).size).toBe(3);
      expect(events.map(({ id }) => id)).not.toContain('');
    });

    it('previews, runs and follows a replay', async () => {
      const preview = await newerReader.analyzeProjectionReplay('entity_snapshots');
      expect(preview).toMatchObject({ projection_name: 'entity_snapshots', warnings: [] });
      let run = await newerReader.startProjectionReplay('entity_snapshots');
      while (['running', 'pending'].includes(String(run['status'])))
        run = await newerReader.getProjectionReplay(String(run['replay_id']));
      expect(run).toMatchObject({ status: 'completed', failed_events: 0, error_message: null });
      const cancelled = newerReader.cancelProjectionReplay(String(run['replay_id']));
      await expect(cancelled).rejects.toMatchObject({ status: 409 });
    });
  });

  it('is told once that an upper-case type is not taken', async () => {
    const entity_id = unique('ts-upper');
    const event = { event_type: 'OrderPlaced', entity_id, payload: {} };
    const before = writer.tries.length;
    const error = await writer.ingestEvent(event).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SdkHttpError);
    expect(error).toMatchObject({ status: 400, text: expect.stringContaining('OrderPlaced') });
    expect(writer.tries.length - before).toBe(1);
    expect((await reader.queryEvents({ entity_id })).count).toBe(0);
  });
});

it('the TypeScript SDK says that a connection failed', async () => {
  const client = new TypeScriptOldClient({
    baseUrl: 'http://127.0.0.1:1',
    apiKey: 'key',
    retriesMax: 0,
  });
  await expect(client.getHealth()).rejects.toBeInstanceOf(SdkConnectionError);
});
