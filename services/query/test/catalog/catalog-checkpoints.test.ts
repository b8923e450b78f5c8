import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Catalog } from '../../src/catalog/catalog.ts';
import type { EventRun } from '../../src/history/event-run.ts';
import { GeneratedLog, randomLog, TENANTS } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

const BLOCK_EVENTS = 10;
const window = { offset: 0, limit: null };

/** Everything a catalog can be asked, in its own order too. */
async function answers(catalog: Catalog): Promise<string> {
  const tenants = await Promise.all(
    TENANTS.map(async (tenant) => ({
      entities: [...(await catalog.tenant(tenant).entities('desc', window)).rows],
      inOrder: [...catalog.tenant(tenant).everyEntity()],
      types: await catalog.tenant(tenant).types(window),
      total: catalog.tenant(tenant).eventCount,
      counts: ['o-1', 'e-3', 'nobody'].map((entity) =>
        catalog.tenant(tenant).entityEventCount(entity),
      ),
    })),
  );
  return createHash('sha256').update(JSON.stringify(tenants)).digest('hex');
}

/** The catalog of the first events of a log, from all of them. */
async function expected(log: GeneratedLog, position: number): Promise<string> {
  const part = log.frames.filter((frame) => frame.lastPosition <= position);
  let hash = '';
  await withFolder(async (folder) => {
    const { history, catalog } = await openReadSide(folder, 1_000_000);
    await history.apply(part, log.logIdHex);
    await history.close();
    hash = await answers(catalog);
  });
  return hash;
}

/** Follows a log and leaves its files with a checkpoint in the middle. */
async function filled(folder: string, log: GeneratedLog): Promise<void> {
  const side = await openReadSide(folder, BLOCK_EVENTS);
  for (const frame of log.frames) {
    await side.history.apply([frame], log.logIdHex);
    await side.history.settled();
  }
  await side.history.close();
  expect(existsSync(join(folder, 'catalog.checkpoint'))).toBe(true);
}

function blockNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.block'))
    .sort();
}

describe('a catalog checkpoint', () => {
  it('gives the catalog of all rows, wherever the service ended and however much was applied while it was written', async () => {
    const seed = propertySeed('catalog checkpoint property');
    const random = new Random(seed);
    for (let round = 0; round < 3; round++) {
      await withFolder(async (folder) => {
        const log = randomLog({ seed: seed + round, events: 900, pastShare: 0.2 });
        let starts = 0;
        for (;;) {
          const side = await openReadSide(folder, BLOCK_EVENTS);
          starts++;
          expect(side.warnings).toEqual([]);
          expect(await answers(side.catalog)).toBe(
            await expected(log, side.history.appliedPosition),
          );
          const rest = log.frames.filter((frame) => frame.position > side.history.appliedPosition);
          if (rest.length === 0 || starts > 12) break;
          const until = random.below(rest.length) + 1;
          for (let from = 0; from < until; ) {
            const to = Math.min(until, from + 1 + random.below(20));
            await side.history.apply(rest.slice(from, to), log.logIdHex);
            if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
            from = to;
          }
          if (random.chance(0.5)) await side.history.settled();
          await side.history.close();
        }
      });
    }
  });

  it('spares the start the rows before it', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 2, events: 700, pastShare: 0 });
      await filled(folder, log);
      let folded = 0;
      class CountingCatalog extends Catalog {
        override rowsAdded(run: EventRun, fromRow: number): void {
          folded += run.rowCount - fromRow;
          super.rowsAdded(run, fromRow);
        }
      }
      const catalog = new CountingCatalog();
      const { history } = await openReadSide(folder, BLOCK_EVENTS, { catalog });
      expect(folded).toBeLessThan(log.events.length / 2);
      expect(await answers(catalog)).toBe(await expected(log, history.appliedPosition));
      await history.close();
    });
  });

  it('holds long names and many types', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog();
      for (let i = 0; i < 200; i++)
        log.commit(TENANTS[i % 2] ?? 'acme', [
          { type: `type.t${i % 50}`, entity: `${'long-'.repeat(i % 40)}${i % 90}` },
          { type: 'a.b', entity: '36-bytes-are-kept-beside-the-counts-' },
          { type: 'a.b', entity: '37-bytes-are-kept-in-a-place-of-names' },
        ]);
      await filled(folder, log);
      const { history, catalog } = await openReadSide(folder, BLOCK_EVENTS);
      await follow(history, log);
      expect(await answers(catalog)).toBe(await expected(log, log.head));
      await history.close();
    });
  });

  it('is not used when it is damaged, cut, of another format, of another log, or newer than the blocks', async () => {
    const random = new Random(propertySeed('catalog checkpoint damage'));
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 4, events: 500, pastShare: 0.1 });
      await filled(folder, log);
      const path = join(folder, 'catalog.checkpoint');
      const kept = join(folder, 'kept');
      copyFileSync(path, kept);
      const length = readFileSync(path).length;
      const change = (at: number, by: number) => () => {
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(at) ^ by, at);
        writeFileSync(path, bytes);
      };
      const firstBlock = join(folder, '0000000000000001.block');
      const damages: (() => void)[] = [
        change(3, 1),
        change(9, 1),
        () => truncateSync(path, 40),
        () => truncateSync(path, length - 1),
        () => rmSync(firstBlock),
        // What is left of the blocks ends before the position that the checkpoint is of.
        () => rmSync(join(folder, blockNames(folder)[1] ?? '')),
        ...Array.from({ length: 8 }, () => change(random.below(length), 1 << random.below(8))),
      ];
      for (const damage of damages) {
        copyFileSync(kept, path);
        damage();
        const { history, catalog } = await openReadSide(folder, BLOCK_EVENTS);
        const { appliedPosition } = history;
        expect(await answers(catalog)).toBe(await expected(log, appliedPosition));
        await follow(history, log);
        expect(await answers(catalog)).toBe(await expected(log, log.head));
        await history.close();
      }
    });
  });
});
