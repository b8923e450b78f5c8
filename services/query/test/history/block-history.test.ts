import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { position } from '@allsource/shared/model';
import type { ReadFrames } from '../../src/history/block-repairs.ts';
import type { EventHistory, StoredEvent } from '../../src/history/event-history.ts';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { GeneratedLog, type ModelEvent, randomLog, TENANTS } from '../support/generated-log.ts';
import { modelSelect, plain, randomSelection } from '../support/model-selection.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

const BLOCK_EVENTS = 50;

/** Everything a tenant can ask, as plain values. */
async function answers(history: EventHistory, catalog: Catalog) {
  const window = { offset: 0, limit: null };
  const tenants = TENANTS.map(async (tenant) => ({
    events: [...history.select({ tenant })].map(plain),
    entities: [...(await catalog.tenant(tenant).entities('desc', window)).rows],
    types: await catalog.tenant(tenant).types(window),
    total: catalog.tenant(tenant).eventCount,
  }));
  return await Promise.all(tenants);
}

function logOfFrames(sizes: readonly number[]): GeneratedLog {
  const log = new GeneratedLog();
  for (const size of sizes) {
    const drafts = Array.from({ length: size }, (_, n) => ({ type: 'a.b', entity: `e${n % 3}` }));
    log.commit('acme', drafts);
  }
  return log;
}

/** The sections with a value for each row, and the entities by hash: their numbers in the file. */
const COLUMN_KINDS = new Set([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);

/** Changes the bytes of all columns of a block. */
function spoilColumns(path: string): void {
  const bytes = readFileSync(path);
  for (let entry = 88; entry < bytes.readUInt32LE(4); entry += 24) {
    if (!COLUMN_KINDS.has(bytes.readUInt16LE(entry))) continue;
    const offset = Number(bytes.readBigUInt64LE(entry + 8));
    bytes.fill(0x55, offset, offset + bytes.readUInt32LE(entry + 16));
  }
  writeFileSync(path, bytes);
}

function blockFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.block'))
    .sort();
}

describe('the event history', () => {
  it('answers every selection as a list of all events would, across blocks and tail', async () => {
    const seed = propertySeed('history property');
    const random = new Random(seed);
    for (let round = 0; round < 5; round++) {
      await withFolder(async (folder) => {
        const log = randomLog({
          seed: seed + round,
          events: 350,
          pastShare: round % 2 === 0 ? 0 : 0.2,
        });
        const { history } = await openReadSide(folder, [3, 7, 50, 64, 10_000][round] ?? 50);
        await follow(history, log);
        expect(history.appliedPosition).toBe(log.head);
        for (let query = 0; query < 150; query++) {
          const selection = randomSelection(random, log);
          const found = [...history.select(selection)].map(plain);
          expect({ selection, found }).toEqual({
            selection,
            found: modelSelect(log.events, selection),
          });
        }
        await history.close();
      });
    }
  });

  it('finds each event by its position for its own tenant and for no other', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 3, events: 300, pastShare: 0 });
      const { history } = await openReadSide(folder, BLOCK_EVENTS);
      await follow(history, log);
      const byPosition = new Map(log.events.map((event) => [event.position, event]));
      for (let at = 0; at <= log.head + 2; at++) {
        const known = byPosition.get(at) ?? null;
        for (const tenant of TENANTS) {
          const event = history.eventAt(tenant, position(at));
          expect(event === null ? null : plain(event)).toEqual(
            known?.tenant === tenant ? known : null,
          );
        }
        const behind = log.events.find((event) => event.position > at) ?? null;
        expect(history.recordedAfter(position(at))).toBe(behind?.recordedAt ?? null);
      }
      await history.close();
    });
  });

  it('gives back texts of any length, however the rows of entities lie in chunks', async () => {
    const seed = propertySeed('texts in chunks');
    const random = new Random(seed);
    const textOf = (length: number) => `"${'x'.repeat(random.below(length))}"`;
    await withFolder(async (folder) => {
      const log = new GeneratedLog(seed);
      for (let i = 0; i < 400; i++) {
        const longest = [2, 300, 40_000, 150_000][random.below(4)] as number;
        const drafts = Array.from({ length: 1 + random.below(4) }, () => ({
          type: 'note',
          entity: `e${random.below(5)}`,
          payload: textOf(longest),
          metadata: random.below(2) === 0 ? null : textOf(longest),
        }));
        log.commit('acme', drafts);
      }
      const { history } = await openReadSide(folder, 300);
      await follow(history, log);
      await history.settled();
      expect(history.layout.blocks).toBeGreaterThan(2);
      expect([...history.select({ tenant: 'acme' })].map(plain)).toEqual(log.events);
      const ofOne = [...history.select({ tenant: 'acme', entity: 'e3' })].map(plain);
      expect(ofOne).toEqual(log.events.filter(({ entity }) => entity === 'e3'));
      await history.close();
    });
  });

  it('gives the same rows of an entity however often it is asked for, with ids of any make', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog(5);
      for (let i = 0; i < 300; i++) {
        const drafts = [{ type: `t${i % 7}`, entity: `e${i % 11}`, payload: `{"n":${i}}` }];
        log.commit(i % 3 === 0 ? 'acme' : 'other', drafts, { foreignIds: i % 100 > 60 });
      }
      const { history } = await openReadSide(folder, BLOCK_EVENTS);
      await follow(history, log);
      await history.settled();
      for (const entity of ['e1', 'e7', 'nobody']) {
        const expected = modelSelect(log.events, { tenant: 'acme', entity });
        // Blocks that are asked again and again are read in another way.
        for (let asked = 0; asked < 200; asked++)
          expect([...history.select({ tenant: 'acme', entity })].map(plain)).toEqual(expected);
      }
      await history.close();
    });
  });

  it('reads an entity without a column of its blocks, however often where there is no room for them', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog(6);
      for (let i = 0; i < 200; i++) log.commit('acme', [{ type: 'a.b', entity: `e${i % 20}` }]);
      const { history } = await openReadSide(folder, BLOCK_EVENTS, { cacheBytes: BLOCK_EVENTS });
      await follow(history, log);
      await history.settled();
      for (const name of blockFiles(folder)) spoilColumns(join(folder, name));
      const expected = modelSelect(log.events, { tenant: 'acme', entity: 'e3' });
      for (let asked = 0; asked < 200; asked++)
        expect([...history.select({ tenant: 'acme', entity: 'e3' })].map(plain)).toEqual(expected);
      expect(() => [...history.select({ tenant: 'acme', type: 'a.b' })].map(plain)).toThrow(
        'is damaged',
      );
      await history.close();
    });
  });

  it('gives a reader that has begun the rows of that moment, whatever is applied and sealed meanwhile', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 4, events: 400, pastShare: 0 });
      const { history } = await openReadSide(folder, BLOCK_EVENTS);
      const half = log.frames.slice(0, log.frames.length / 2);
      await history.apply(half, log.logIdHex);
      const reader = history.select({ tenant: 'acme' })[Symbol.iterator]();
      const read: ModelEvent[] = [];
      const { value: first } = reader.next();
      read.push(plain(first as StoredEvent));
      await follow(history, log);
      await history.close();
      for (let next = reader.next(); next.done !== true; next = reader.next())
        read.push(plain(next.value));
      const last = half.at(-1)?.lastPosition ?? 0;
      expect(read).toEqual(log.events.filter((e) => e.tenant === 'acme' && e.position <= last));
    });
  });

  it('ends its blocks where frames end, and passes over frames that it has', async () => {
    await withFolder(async (folder) => {
      const log = logOfFrames(Array.from({ length: 8 }, () => 20));
      const first = await openReadSide(folder, BLOCK_EVENTS);
      await follow(first.history, log);
      await first.history.apply(log.frames.slice(2, 5), log.logIdHex);
      await first.history.close();
      // A block is full with 50 events, and the frame of 20 that fills it stays whole.
      const second = await openReadSide(folder, BLOCK_EVENTS);
      expect(blockFiles(folder)).toEqual(['0000000000000001.block', '0000000000000061.block']);
      expect(second.history.appliedPosition).toBe(120);
      await second.history.apply(log.frames.slice(4), log.logIdHex);
      expect([...second.history.select({ tenant: 'acme' })].map(plain)).toEqual(log.events);
      expect(second.catalog.tenant('acme').entityEventCount('e1')).toBe(56);
      await second.history.close();
    });
  });

  it('refuses a frame that it has in part', async () => {
    await withFolder(async (folder) => {
      const { history } = await openReadSide(folder, BLOCK_EVENTS);
      await follow(history, logOfFrames([20, 20]));
      const other = logOfFrames([20, 30]);
      await expect(history.apply(other.frames, other.logIdHex)).rejects.toThrow('inside');
      expect(history.appliedPosition).toBe(40);
      await history.close();
    });
  });

  it('refuses a gap and another log', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 5, events: 60, pastShare: 0 });
      const { history } = await openReadSide(folder, BLOCK_EVENTS);
      await history.apply(log.frames.slice(0, 3), log.logIdHex);
      await expect(history.apply(log.frames.slice(5), log.logIdHex)).rejects.toThrow('missing');
      await expect(history.apply(log.frames.slice(3), 'ffffffffffffffff')).rejects.toThrow(
        'one log',
      );
      await history.close();
    });
  });

  it('answers the same after a restart and after its files were deleted', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 6, events: 900, pastShare: 0.1 });
      const first = await openReadSide(folder, BLOCK_EVENTS);
      await follow(first.history, log);
      const expected = await answers(first.history, first.catalog);
      await first.history.close();

      const restarted = await openReadSide(folder, BLOCK_EVENTS);
      expect(restarted.history.appliedPosition).toBe(restarted.history.durablePosition);
      expect(restarted.history.durablePosition).toBeGreaterThan(log.head - 2 * BLOCK_EVENTS);
      expect(restarted.history.logId).toBe(log.logIdHex);
      await follow(restarted.history, log);
      expect(await answers(restarted.history, restarted.catalog)).toEqual(expected);
      await restarted.history.close();

      rmSync(folder, { recursive: true });
      const rebuilt = await openReadSide(folder, 33);
      expect(rebuilt.history.appliedPosition).toBe(0);
      await follow(rebuilt.history, log);
      expect(await answers(rebuilt.history, rebuilt.catalog)).toEqual(expected);
      await rebuilt.history.close();
    });
  });

  it('moves on over stretches without events of clients, and keeps the exact position in its blocks', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog();
      const system = () =>
        log.commit('_system', [{ type: '_system.tenant.created', entity: 't' }], {
          isSystem: true,
        });
      for (let i = 0; i < 10; i++) system();
      for (let i = 0; i < 4; i++) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
      for (let i = 0; i < 10; i++) system();
      const { history } = await openReadSide(folder, 4);
      await follow(history, log);
      expect(history.appliedPosition).toBe(24);
      history.advance(position(1000), log.logIdHex);
      expect(history.appliedPosition).toBe(1000);
      history.advance(position(900), log.logIdHex);
      expect(history.appliedPosition).toBe(1000);
      await history.close();
      const reopened = await openReadSide(folder, 4);
      expect(reopened.history.appliedPosition).toBe(14);
      expect([...reopened.history.select({ tenant: 'acme' })].map(plain)).toEqual(log.events);
    });
  });

  it('is empty after a reset, on disk too, and takes another log', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 7, events: 300, pastShare: 0 });
      const { history, catalog } = await openReadSide(folder, BLOCK_EVENTS);
      await follow(history, log);
      await history.reset();
      expect(blockFiles(folder)).toEqual([]);
      expect(history.appliedPosition).toBe(0);
      expect(history.logId).toBeNull();
      expect(catalog.tenants()).toEqual([]);
      const other = new GeneratedLog(9, 'another1');
      other.commit('acme', [{ type: 'a.b', entity: 'e' }]);
      await follow(history, other);
      expect([...history.select({ tenant: 'acme' })].map(plain)).toEqual(other.events);
      await history.close();
    });
  });
});

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x40, offset);
  writeFileSync(path, bytes);
}

/** What a reader is told. */
function refusal(error: unknown): string {
  return error instanceof Problem ? `${error.code} ${error.status}` : String(error);
}

function append(path: string): void {
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(8)]));
}

describe('the block format', () => {
  it('is pinned: another layout of sections needs another version in the magic', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog();
      for (let i = 0; i < 2; i++) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
      const { history } = await openReadSide(folder, 2);
      await follow(history, log);
      await history.close();
      const bytes = readFileSync(join(folder, '0000000000000001.block'));
      const table = Array.from({ length: bytes.readUInt32LE(12) }, (_, i) => {
        const entry = 88 + i * 24;
        return [
          bytes.readUInt16LE(entry),
          bytes.readUInt16LE(entry + 2),
          bytes.readUInt32LE(entry + 20),
        ];
      });
      expect(bytes.toString('latin1', 0, 4)).toBe('ASB4');
      // Kind, coding and decoded bytes of each section, for two events of one entity.
      expect(table).toEqual([
        [1, 1, 8],
        [2, 1, 7],
        [3, 2, 4],
        [4, 1, 4],
        [5, 1, 4],
        [6, 2, 4],
        [7, 1, 1],
        [9, 1, 8],
        [8, 2, 8],
        [10, 1, 8],
        [11, 3, 16],
        [12, 4, 16],
        [13, 4, 16],
        [20, 1, 24],
      ]);
    });
  });
});

describe('damage of block files', () => {
  const damages: [string, (folder: string, names: string[]) => void][] = [
    ['a cut block', (folder, names) => truncateSync(join(folder, names[2] as string), 700)],
    [
      'a block cut inside its header',
      (folder, names) => truncateSync(join(folder, names[2] as string), 30),
    ],
    ['an empty block', (folder, names) => truncateSync(join(folder, names[2] as string), 0)],
    ['a missing block', (folder, names) => rmSync(join(folder, names[2] as string))],
    ['a changed byte in the header', (folder, names) => flip(join(folder, names[2] as string), 45)],
    [
      'a changed byte in a column that is folded',
      (folder, names) => {
        flip(join(folder, names[2] as string), 900);
        rmSync(join(folder, 'catalog.checkpoint'), { force: true });
      },
    ],
    ['a block of another format', (folder, names) => flip(join(folder, names[2] as string), 3)],
    ['bytes behind the end', (folder, names) => append(join(folder, names[2] as string))],
    [
      'another block under the name',
      (folder, names) => {
        const bytes = readFileSync(join(folder, names[1] as string));
        writeFileSync(join(folder, names[2] as string), bytes);
      },
    ],
  ];

  it.each(damages)(
    '%s: it and all later ones are dropped with a warning and built again',
    async (_title, damage) => {
      await withFolder(async (folder) => {
        const log = randomLog({ seed: 8, events: 500, pastShare: 0 });
        const first = await openReadSide(folder, BLOCK_EVENTS);
        await follow(first.history, log);
        const expected = await answers(first.history, first.catalog);
        await first.history.close();
        const names = blockFiles(folder);
        damage(folder, names);
        const second = await openReadSide(folder, BLOCK_EVENTS);
        expect(blockFiles(folder)).toEqual(names.slice(0, 2));
        expect(second.history.appliedPosition).toBe(Number.parseInt(names[2] as string, 10) - 1);
        expect(second.warnings).toHaveLength(1);
        await follow(second.history, log);
        expect(await answers(second.history, second.catalog)).toEqual(expected);
        await second.history.close();
      });
    },
  );

  it('a block of another log is dropped', async () => {
    await withFolder(async (folder) => {
      const [one, two] = [new GeneratedLog(1, 'one-log-'), new GeneratedLog(1, 'two-log-')];
      for (let i = 0; i < 4; i++) {
        for (const log of [one, two]) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
      }
      const first = await openReadSide(folder, 2);
      await follow(first.history, one);
      await first.history.close();
      const [name0 = '', name1 = ''] = blockFiles(folder);
      const kept = readFileSync(join(folder, name0));
      await first.history.reset();
      await follow(first.history, two);
      await first.history.close();
      writeFileSync(join(folder, name0), kept);
      const second = await openReadSide(folder, 2);
      expect(second.history.logId).toBe(one.logIdHex);
      expect(blockFiles(folder)).toEqual([name0]);
      expect(second.warnings).toMatchObject([{ block: name1 }]);
    });
  });

  it('drafts of a crash are removed', async () => {
    await withFolder(async (folder) => {
      writeFileSync(join(folder, '0000000000000001.block.draft'), 'half a block');
      const { history, warnings } = await openReadSide(folder, BLOCK_EVENTS);
      expect(readdirSync(folder)).toEqual([]);
      expect(history.appliedPosition).toBe(0);
      expect(warnings).toEqual([]);
    });
  });

  it('damaged text is told to the reader, fails readiness, and is built again at the next start', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 10, events: 200, pastShare: 0 });
      const first = await openReadSide(folder, BLOCK_EVENTS);
      await follow(first.history, log);
      const expected = await answers(first.history, first.catalog);
      await first.history.close();
      const [name = ''] = blockFiles(folder);
      flip(join(folder, name), readFileSync(join(folder, name)).length - 9);
      const second = await openReadSide(folder, BLOCK_EVENTS);
      expect(second.history.fault).toBeNull();
      await expect(answers(second.history, second.catalog)).rejects.toThrow(name);
      expect(second.history.fault).toContain(name);
      const third = await openReadSide(folder, BLOCK_EVENTS);
      expect(third.history.appliedPosition).toBe(0);
      await follow(third.history, log);
      expect(await answers(third.history, third.catalog)).toEqual(expected);
      await third.history.close();
    });
  });

  it('damage found while reading is refused, and the block is built again meanwhile, whatever is followed beside it', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 12, events: 600, pastShare: 0.1 });
      const first = await openReadSide(folder, BLOCK_EVENTS);
      const half = log.frames.slice(0, log.frames.length / 2);
      await first.history.apply(half, log.logIdHex);
      await first.history.close();
      const [name0 = '', name1 = '', name2 = ''] = blockFiles(folder);
      for (const name of [name0, name2])
        flip(join(folder, name), readFileSync(join(folder, name)).length - 9);
      const original = readFileSync(join(folder, name1));
      let refusals = 2;
      const readFrames: ReadFrames = ({ after, last }, onFrame) => {
        // Core is away at first; the repair tries again.
        if (refusals-- > 0) return Promise.reject(new TypeError('core is away'));
        for (const frame of log.frames)
          if (frame.position > after && frame.lastPosition <= last) onFrame(frame);
        return Promise.resolve();
      };
      const side = await openReadSide(folder, BLOCK_EVENTS, { readFrames });
      const { history, catalog } = side;
      await expect(answers(history, catalog)).rejects.toThrow('being built again');
      expect(readFileSync(join(folder, name1)).equals(original)).toBe(true);
      await follow(history, log);
      const refused = new Set<unknown>();
      for (let tries = 0; tries < 1_000; tries++) {
        const reason = await answers(history, catalog).then(() => null, refusal);
        if (reason === null) break;
        refused.add(reason);
        await new Promise((resolve) => {
          setTimeout(resolve, 10);
        });
      }
      expect([...refused]).toEqual(['read_store_damaged 503']);
      expect(history.fault).toBeNull();
      await withFolder(async (other) => {
        const replay = await openReadSide(other, BLOCK_EVENTS);
        await follow(replay.history, log);
        expect(await answers(history, catalog)).toEqual(
          await answers(replay.history, replay.catalog),
        );
        await replay.history.close();
      });
      await history.close();
      const again = await openReadSide(folder, BLOCK_EVENTS);
      expect(again.warnings).toEqual([]);
      await follow(again.history, log);
      expect((await answers(again.history, again.catalog))[0]?.events).toEqual(
        log.events.filter(({ tenant }) => tenant === 'acme'),
      );
      await again.history.close();
    });
  });

  it('a disk that refuses is told to the follower once enough waits, and nothing is lost', async () => {
    await withFolder(async (folder) => {
      const log = randomLog({ seed: 11, events: 400, pastShare: 0 });
      const { history, catalog } = await openReadSide(folder, 20);
      rmSync(folder, { recursive: true });
      await expect(follow(history, log)).rejects.toMatchObject({ code: 'storage_full' });
      expect(history.fault).toContain('cannot write');
      const applied = history.appliedPosition;
      const known = [...history.select({ tenant: 'acme' })].map(plain);
      expect(known).toEqual(log.events.filter((e) => e.tenant === 'acme' && e.position <= applied));
      const again = await openReadSide(folder, 20);
      expect(again.history.appliedPosition).toBe(0);
      await follow(history, log);
      await history.close();
      expect(history.fault).toBeNull();
      expect((await answers(history, catalog))[0]?.events).toEqual(
        log.events.filter((e) => e.tenant === 'acme'),
      );
    });
  });
});
