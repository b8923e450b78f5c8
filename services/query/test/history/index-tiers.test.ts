import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { dueMerge, TIER_FANOUT, TIER_LEVEL_MAX } from '../../src/history/tiers/tier-policy.ts';
import { type GeneratedLog, randomLog, TENANTS } from '../support/generated-log.ts';
import { modelSelect, plain } from '../support/model-selection.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

const BLOCK_EVENTS = 4;
const EVENTS = 600;

function indexFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.entities'))
    .sort();
}

function entitiesOf(log: GeneratedLog): string[] {
  return [...new Set(log.events.map(({ entity }) => entity)), 'nobody'];
}

/** The events of every entity of every tenant are those of a list of all events. */
function requireEntities({ history }: ReadSide, log: GeneratedLog): void {
  for (const tenant of TENANTS) {
    for (const entity of entitiesOf(log)) {
      const selection = { tenant, entity };
      // Compared as text: most are equal, and a deep comparison of each would take most of the time.
      const found = JSON.stringify([...history.select(selection)].map(plain));
      const isEqual = found === JSON.stringify(modelSelect(log.events, selection));
      expect({ selection, isEqual }).toEqual({ selection, isEqual: true });
    }
  }
}

/** Fills a history of some hundred small blocks and lets its indexes settle. */
async function filled(folder: string, log: GeneratedLog): Promise<ReadSide> {
  const side = await openReadSide(folder, BLOCK_EVENTS);
  await follow(side.history, log);
  await side.history.settled();
  return side;
}

describe('the tiers of entity indexes', () => {
  it('merge eight neighbours of a level, so that a billion events in blocks of 65,536 are asked by some tens of lookups', () => {
    const levels: number[] = [];
    for (let blocks = 1; blocks <= 15_300; blocks++) {
      levels.push(0);
      for (let due = dueMerge(levels); due !== null; due = dueMerge(levels)) {
        const merged = levels.splice(due.from, TIER_FANOUT, due.level);
        expect(new Set(merged)).toEqual(new Set([due.level - 1]));
      }
      const tooMany = Array.from(
        { length: TIER_LEVEL_MAX },
        (_, level) => levels.filter((own) => own === level).length >= TIER_FANOUT,
      );
      expect({ blocks, tooMany }).toEqual({ blocks, tooMany: [false, false, false] });
    }
    expect(levels.length).toBeLessThanOrEqual(15_300 / 512 + 3 * (TIER_FANOUT - 1));
  });

  it('answer every entity as a list of all events would, while they merge, after it, and after a restart', async () => {
    const seed = propertySeed('tiers property');
    await withFolder(async (folder) => {
      const log = randomLog({ seed, events: EVENTS, pastShare: 0.1 });
      const side = await openReadSide(folder, BLOCK_EVENTS);
      const third = Math.floor(log.frames.length / 3);
      await side.history.apply(log.frames.slice(0, third), log.logIdHex);
      for (const [i, frame] of log.frames.slice(third).entries()) {
        await side.history.apply([frame], log.logIdHex);
        if (i % 17 !== 0) continue;
        const entity = log.events[i % log.events.length]?.entity ?? '';
        const { appliedPosition } = side.history;
        const applied = log.events.filter(({ position }) => position <= appliedPosition);
        const found = TENANTS.map((tenant) =>
          [...side.history.select({ tenant, entity })].map(plain),
        );
        expect(found).toEqual(TENANTS.map((tenant) => modelSelect(applied, { tenant, entity })));
      }
      await side.history.settled();
      const { blocks, lookups } = side.history.layout;
      expect(blocks).toBeGreaterThan(TIER_FANOUT ** 2);
      expect(lookups).toBeLessThanOrEqual(blocks / 512 + 3 * (TIER_FANOUT - 1));
      requireEntities(side, log);
      await side.history.close();
      const again = await openReadSide(folder, BLOCK_EVENTS);
      expect(again.warnings).toEqual([]);
      expect(again.history.layout.lookups).toBeLessThanOrEqual(lookups);
      await follow(again.history, log);
      requireEntities(again, log);
      await again.history.close();
    });
  });

  it('touch only blocks that have the entity: one event among many blocks is one run to search', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 3, events: EVENTS, pastShare: 0 });
      const side = await filled(folder, log);
      const { blocks } = side.history.layout;
      for (const entity of ['e-1', 'e-2', 'o-1']) {
        const searched = [...side.history.matches({ tenant: 'acme', entity })].length;
        const events = log.events.filter(
          (event) => event.tenant === 'acme' && event.entity === entity,
        );
        expect(searched).toBeLessThanOrEqual(events.length);
        expect(searched).toBeLessThan(blocks / 2);
      }
      await side.history.close();
    });
  });

  it('are read once for an entity that is asked for again', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 4, events: EVENTS, pastShare: 0 });
      const { history, warnings } = await filled(folder, log);
      const find = (entity: string) => [...history.select({ tenant: 'acme', entity })].map(plain);
      const found = find('e-1');
      expect(found).toEqual(modelSelect(log.events, { tenant: 'acme', entity: 'e-1' }));
      const before = indexFiles(folder);
      for (const name of before) truncateSync(join(folder, name));
      expect(find('e-1')).toEqual(found);
      expect({ warnings, files: indexFiles(folder) }).toEqual({ warnings: [], files: before });
      // Another one shows that the files are of no use any more.
      expect(find('e-2')).toEqual(modelSelect(log.events, { tenant: 'acme', entity: 'e-2' }));
      expect(warnings.length).toBeGreaterThan(0);
      await history.close();
    });
  });

  it('are made again from the blocks when they are deleted, cut, changed, or of an older state', async () => {
    const random = new Random(propertySeed('tiers damage'));
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 5, events: EVENTS, pastShare: 0 });
      const early = join(folder, 'early');
      const first = await openReadSide(folder, BLOCK_EVENTS);
      await first.history.apply(log.frames.slice(0, log.frames.length / 2), log.logIdHex);
      await first.history.settled();
      mkdirSync(early);
      for (const name of indexFiles(folder)) copyFileSync(join(folder, name), join(early, name));
      await follow(first.history, log);
      await first.history.settled();
      const settled = indexFiles(folder);
      expect(settled.length).toBeGreaterThan(1);
      await first.history.close();
      const damages = [
        (path: string) => rmSync(path),
        (path: string) => truncateSync(path, random.below(readFileSync(path).length)),
        (path: string) => {
          const bytes = readFileSync(path);
          for (let i = 0; i < 200; i++) {
            const at = random.below(bytes.length);
            bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
          }
          writeFileSync(path, bytes);
        },
        () => {
          for (const name of readdirSync(early))
            copyFileSync(join(early, name), join(folder, name));
          writeFileSync(join(folder, `${settled[0]}.draft`), 'half an index');
        },
      ];
      for (const damage of damages) {
        for (const name of indexFiles(folder)) damage(join(folder, name));
        const side = await openReadSide(folder, BLOCK_EVENTS);
        await follow(side.history, log);
        requireEntities(side, log);
        await side.history.settled();
        requireEntities(side, log);
        expect(indexFiles(folder)).toEqual(settled);
        expect(readdirSync(folder).filter((name) => name.endsWith('.draft'))).toEqual([]);
        await side.history.close();
      }
    });
  });

  it('are gone after a reset', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 6, events: 800, pastShare: 0 });
      const { history } = await filled(folder, log);
      expect(indexFiles(folder).length).toBeGreaterThan(0);
      await history.reset();
      expect(readdirSync(folder)).toEqual([]);
      await history.close();
    });
  });
});
