import { describe, expect, it } from '@jest/globals';
import {
  entityIdFault,
  eventTypeFault,
  formatEventId,
  formatTimestamp,
  isUuid,
  micros,
  parseTimestamp,
  partitionOf,
  position,
  positionOfEventId,
  quoted,
  tenantIdFault,
  writeEventId,
} from '../src/model/index.ts';

describe('timestamps', () => {
  it.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00:00.5Z', '2026-01-31T12:00:00.500Z'],
    ['2026-01-31t12:00:00.123456z', '2026-01-31T12:00:00.123456Z'],
    ['2026-01-31T12:00:00.123456789Z', '2026-01-31T12:00:00.123456Z'],
    ['2010-10-01T00:00:00.020+02:00', '2010-09-30T22:00:00.020Z'],
    ['2024-02-29T23:59:59-23:59', '2024-03-01T23:58:59.000Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999Z'],
    ['1700-01-01T00:00:00Z', '1700-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59Z', '2255-06-05T23:47:34.740991Z'],
    ['0001-01-01T00:00:00Z', '1684-07-28T00:12:25.259009Z'],
  ])('%s is read and prints as %s', (text, printed) => {
    expect(formatTimestamp(parseTimestamp(text) as never)).toBe(printed);
  });

  it.each([
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-02-30T12:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31T24:00:01Z',
    '2026-01-31T12:60:00Z',
    '2026-01-31T12:00:60Z',
    '2026-01-31T12:00:00+24:00',
    '2026-01-31T12:00:00+00:60',
    '2026-01-31T12:00:00.Z',
    '2026-01-31T12:00:00.1234567890Z',
    'yesterday',
    '',
    '1700000000',
  ])('%j is no instant', (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });
});

describe('names', () => {
  it('are shown in sentences quoted and escaped, and cut between characters', () => {
    expect(quoted('a "b"\n')).toBe(`'a \\"b\\"\\n'`);
    for (const before of ['', 'x']) {
      const shown = quoted(before + '😀'.repeat(60));
      expect(shown).toMatch(/^'x?(😀)+…'$/u);
      expect(shown.length).toBeLessThan(90);
    }
  });

  it.each(['order.placed', 'a', 'sdk.test.order.item_added', '_x', 'v2.0', 'a'.repeat(128)])(
    '%s is an event type',
    (type) => {
      expect(eventTypeFault(type)).toBeNull();
    },
  );

  it.each([
    '',
    '.a',
    'a.',
    'a..b',
    'Order',
    'a-b',
    'a b',
    'é',
    'a'.repeat(129),
    '_system.x',
    'a\n',
  ])('%j is no event type', (type) => {
    expect(eventTypeFault(type)).toMatch(/^Event type /);
  });

  it.each(['order-1', 'Ünïcode', 'a b', 'x/y:z', '日本', '__proto__', 'a'.repeat(128)])(
    '%s is an entity id',
    (id) => {
      expect(entityIdFault(id)).toBeNull();
    },
  );

  it.each(['', ' ', ' a', 'a ', 'a\u0000b', 'a\nb', '\ud800', 'é'.repeat(65)])(
    '%j is no entity id',
    (id) => {
      expect(entityIdFault(id)).toMatch(/^Entity id /);
    },
  );

  it('reserves the store’s own tenant and refuses what a path or a subject could take for more than a name', () => {
    expect(tenantIdFault('acme-1_X')).toBeNull();
    for (const id of ['_system', '', 'a.b', 'a/b', '..', 'a*', 'é', 'a'.repeat(65)])
      expect(tenantIdFault(id)).not.toBeNull();
  });
});

describe('event ids', () => {
  it('lead back to the position they were made for, over the whole range', () => {
    const id = Buffer.alloc(16);
    for (const value of [1, 2, 255, 65_536, 2 ** 32, 2 ** 48 - 1, 2 ** 48, 2 ** 52 - 1]) {
      writeEventId(id, 0, {
        recordedAtMs: 1_790_000_000_000,
        position: position(value),
        random: 0x2abcde,
      });
      const text = formatEventId(id, 0);
      expect(isUuid(text)).toBe(true);
      expect(text[14]).toBe('7');
      expect(positionOfEventId(text)).toBe(value);
    }
  });

  it('of another maker lead nowhere', () => {
    expect(positionOfEventId('9b2d9a3c-7a5e-4a51-9f0f-0c8f6e0a4e11')).toBeNull();
    expect(positionOfEventId('00000000-0000-0000-0000-000000000000')).toBeNull();
  });
});

function partition(tenant: string, entity: string): number {
  return partitionOf(Buffer.from(tenant), Buffer.from(entity), 256);
}

describe('partitions', () => {
  it('are pinned: changing the hash would move every entity', () => {
    expect([
      partition('default', 'order-1'),
      partition('default', 'order-2'),
      partition('acme', 'order-1'),
      partition('a', 'bc'),
      partition('ab', 'c'),
    ]).toEqual(PINNED_PARTITIONS);
  });

  it('spread sequential ids evenly', () => {
    const counts = Array.from({ length: 256 }, () => 0);
    for (let i = 0; i < 100_000; i++) {
      const p = partitionOf(Buffer.from('default'), Buffer.from(`order-${i}`), 256);
      counts[p] = (counts[p] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(250);
    expect(Math.max(...counts)).toBeLessThan(550);
  });
});

const PINNED_PARTITIONS = [198, 101, 64, 86, 9];

it('micros refuses what is no safe integer', () => {
  expect(() => micros(1.5)).toThrow(/not microseconds/);
});
