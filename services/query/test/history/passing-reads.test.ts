import { describe, expect, it } from '@jest/globals';
import { POSITION_ZERO } from '@allsource/shared/model';
import { BlockCache } from '../../src/history/block/block-cache.ts';
import { contentOf } from '../../src/history/block/block-content.ts';
import { writeBlock } from '../../src/history/block/block-writer.ts';
import { openBlock } from '../../src/history/block/open-block.ts';
import type { EventRun } from '../../src/history/event-run.ts';
import { Tail } from '../../src/history/tail/tail.ts';
import { randomLog } from '../support/generated-log.ts';
import { withFolder } from '../support/temporary-folder.ts';

const EVENTS = 2_000;
/** More than a block is asked before it decodes its columns. */
const ROUNDS = 200;

function filledTail(): Tail {
  const tail = new Tail(POSITION_ZERO, { rows: EVENTS, frameBytes: 2 ** 30 });
  for (const frame of randomLog({ seed: 11, events: EVENTS, pastShare: 0.2 }).frames)
    if (frame.isSystem) tail.cover(frame.lastPosition);
    else tail.append(frame);
  return tail;
}

/** The tenants and entities of a run. */
function entitiesOf({ source }: EventRun): [tenant: string, entity: string][] {
  return Array.from({ length: source.entityCount }, (_, entity) => [
    String(source.tenantNames[source.entityTenants[entity] as number]),
    source.entityName(entity),
  ]);
}

function eventsOf(run: EventRun, [tenant, entity]: [string, string]): string[] {
  const number = run.source.findEntity(tenant, entity);
  const rows = number === -1 ? [] : run.source.rowsOfEntity(number);
  return Array.from(rows, (row) => JSON.stringify(run.event(row)));
}

describe('entities that are read in passing', () => {
  it('are the same events, and leave no chunk and no column in memory', async () => {
    await withFolder(async (folder) => {
      const tail = filledTail();
      const path = await writeBlock({ folder, content: contentOf(tail), logId: Buffer.alloc(8) });
      const cache = new BlockCache({ columnBytesMax: 2 ** 30, chunkBytesMax: 2 ** 30 });
      const opened = await openBlock(path, { cache, onDamage: () => {} });
      if (opened.kind !== 'block') throw new TypeError(opened.reason);
      const { block } = opened;
      const entities = entitiesOf(tail.run());
      expect(entities.length).toBeGreaterThan(10);
      block.entityRun('nobody', 'nothing', true);
      const before = cache.bytes;
      let seen = 0;
      for (let i = 0; i < ROUNDS; i++) {
        const whose = entities[i % entities.length] as [string, string];
        const events = eventsOf(block.entityRun(...whose, true), whose);
        expect(events).toEqual(eventsOf(tail.run(), whose));
        seen += events.length;
      }
      expect(seen).toBeGreaterThan(ROUNDS);
      expect(cache.bytes).toBe(before);
      const [first] = entities as [[string, string]];
      block.entityRun(...first);
      expect(cache.bytes).toBeGreaterThan(before);
    });
  });
});
