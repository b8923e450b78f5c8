/**
 * Prints:
 *     ada: paid by card
 *     bob: somebody was faster, the order is at version 2
 *     bob: paid already
 */
import { VersionConflictError } from '@allsource/client';
import { core, fresh, query } from './connect.ts';

const entityId = fresh('order');
await core.ingestEvent({
  eventType: 'order.placed',
  entityId,
  payload: { total: 42 },
  expectedVersion: 0,
});

// Both read the order before either has decided.
const seenByAda = await query.getEntityEvents(entityId);
const seenByBob = await query.getEntityEvents(entityId);

async function pay(name: string, by: 'card' | 'cash', seen: typeof seenByAda): Promise<void> {
  if (seen.some(({ eventType }) => eventType === 'order.paid')) {
    console.log(`${name}: paid already`);
    return;
  }
  try {
    const expectedVersion = seen.length;
    await core.ingestEvent({ eventType: 'order.paid', entityId, payload: { by }, expectedVersion });
    console.log(`${name}: paid by ${by}`);
  } catch (error) {
    if (!(error instanceof VersionConflictError)) throw error;
    console.log(`${name}: somebody was faster, the order is at version ${error.currentVersion}`);
    // Read again, decide again.
    await pay(name, by, await query.getEntityEvents(entityId));
  }
}

await pay('ada', 'card', seenByAda);
await pay('bob', 'cash', seenByBob);
