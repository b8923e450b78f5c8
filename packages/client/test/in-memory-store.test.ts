import { describe, expect, it } from '@jest/globals';
import { ProjectionWorker } from '../src/index.ts';
import { decider, ExpectationError, InMemoryStore, reducer } from '../src/testing.ts';
import { storeCases } from '../../../tests/support/store-cases.ts';

describe('the store in memory', () => {
  const store = new InMemoryStore();
  const clients = {
    core: store.coreClient(),
    query: store.queryClient(),
    stream: store.streamClient(),
  };
  storeCases(() => clients);

  it('takes its time from the test', async () => {
    const fixed = new InMemoryStore({ now: () => new Date('2026-05-01T12:00:00Z') });
    await fixed.coreClient().ingestEvent({ eventType: 'a.b', entityId: 'x', payload: null });
    const [event] = await fixed.queryClient().getEntityEvents('x');
    expect(event?.recordedAt).toBe('2026-05-01T12:00:00.000Z');
  });

  it('says of what it does not have that it is not available', async () => {
    await expect(clients.query.getSummary()).rejects.toMatchObject({
      code: 'not_available',
      status: 501,
    });
  });

  it('cuts its connections when told to, over which a worker loses and repeats nothing', async () => {
    const core = store.coreClient();
    const worker = new ProjectionWorker({
      core,
      name: 'cut',
      eventTypes: ['cut.happened'],
      checkpointInterval: 3,
      initialState: () => ({ seen: [] as unknown[] }),
      reducer: (state, event) => void state.seen.push(event.payload),
    });
    await worker.start();
    await worker.caughtUp();
    for (let n = 0; n < 10; n += 1) {
      await core.ingestEvent({ eventType: 'cut.happened', entityId: `e${n % 3}`, payload: n });
      if (n % 4 === 1) store.disconnect();
    }
    const last = (
      await store.queryClient().queryEvents({ eventType: 'cut.happened', order: 'desc', limit: 1 })
    ).events[0];
    await worker.applied(last?.position ?? 0);
    expect(worker.state().seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await worker.stop();
  });
});

describe('given, when, then', () => {
  type Event = { eventType: 'opened' } | { eventType: 'paid'; by: string };
  const order = decider({
    initialState: () => ({ isPaid: false }),
    evolve: (state, event: Event) => {
      if (event.eventType === 'paid') state.isPaid = true;
    },
    decide: (state, by: string): Event[] => {
      if (state.isPaid) throw new RangeError('paid already');
      return [{ eventType: 'paid', by }];
    },
  });

  it('hold for what is decided and what is refused', () => {
    const paid = { eventType: 'paid', by: 'card' } as const;
    expect(() => order.given({ eventType: 'opened' }).when('card').thenEvents(paid)).not.toThrow();
    expect(() => order.given(paid).when('cash').thenThrows(RangeError)).not.toThrow();
    expect(() => order.given(paid).when('cash').thenThrows('already')).not.toThrow();
  });

  it('say what does not hold, and where', () => {
    const decided = order.given().when('card');
    expect(() => decided.thenEvents({ eventType: 'paid', by: 'cash' })).toThrow(
      /differ at \[0\]\.by/,
    );
    expect(() => decided.thenEvents()).toThrow(ExpectationError);
    expect(() => decided.thenThrows()).toThrow(/Expected a refusal/);
    const refused = order.given({ eventType: 'paid', by: 'card' }).when('cash');
    expect(() => refused.thenThrows(TypeError)).toThrow(/Expected a TypeError/);
    expect(() => refused.thenThrows(/never/)).toThrow(/paid already/);
  });

  it('hold for reducers, whatever their state is made of', () => {
    const count = reducer(
      () => new Map<string, Set<number>>(),
      (state, [key, n]: readonly [string, number]) => void state.set(key, new Set([n])),
    );
    count.given(['a', 1]).thenState(new Map([['a', new Set([1])]]));
    expect(() => count.given(['a', 1]).thenState(new Map([['a', new Set([2])]]))).toThrow(/\.a\.1/);
  });
});
