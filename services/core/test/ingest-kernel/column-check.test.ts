/**
 * The kernel's check of columns against the path in TypeScript: what the kernel takes, the other takes too, with the same events. ALLSOURCE_TEST_FUZZ sets
 * the number of batches (a tenth of it), ALLSOURCE_TEST_SEED the seed.
 */
import assert from 'node:assert/strict';
import { expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { micros } from '@allsource/shared/model';
import { SeededRandom } from '@allsource/testkit';
import type { EventColumns, TextColumn } from '../../src/append/event-columns.ts';
import { parseColumns } from '../../src/append/ingest-columns.ts';
import { testKernel } from '../support/test-kernel.ts';

const NOW = micros(1_790_000_000_000_000);
const LIMITS = { payloadBytesMax: 60, batchEventsMax: 100 };
const TYPES = ['a', 'order.placed', 'x'.repeat(128), 'a.b_c.d0'];
const ODD_TYPES = ['', 'A', '.a', 'a..b', '_system.x', 'é', 'x'.repeat(129), 'x'.repeat(70_000)];
const ENTITIES = ['e', 'order-1', 'a "quoted" \\ one', 'z'.repeat(128), 'user 7', '~'];
const ODD_ENTITIES = ['', ' a', 'a ', 'é', '日本', '\n', '\u007f', '\u0080', 'z'.repeat(129)];
const TEXTS = ['1', '{}', '{"a":[1,"é"]}', '"x"', 'null', 'true', '-0.5e3', '[]', '12', '"\\n"'];
const ODD_TEXTS = [' 1', '{} ', '\n[1]\t', '', ' ', '01', '1 2', '{"a":1', '"', 'nul', '\ufeff1'];
const LONG_TEXTS = [`"${'x'.repeat(58)}"`, `"${'x'.repeat(59)}"`];
const TIMES = [0, -1, 1_600_000_000_000_000, NOW + 5_000_000, Number.NaN];
const ODD_TIMES = [NOW + 5_000_001, -9e15, Number.POSITIVE_INFINITY, 1e300];
const VERSIONS = [0, 1, 42, Number.MAX_SAFE_INTEGER, Number.NaN];
const ODD_VERSIONS = [-1, 2 ** 53, Number.POSITIVE_INFINITY];

class RandomColumns {
  readonly #random: SeededRandom;
  #isPlain = true;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  next(): { readonly columns: EventColumns; readonly isPlain: boolean } {
    this.#isPlain = true;
    const rows = 1 + this.#random.below(8);
    const texts = [...TEXTS, ...(this.#chance(0.1) ? LONG_TEXTS : [])];
    if (texts.length > TEXTS.length) this.#isPlain = false;
    const columns = {
      rows,
      type: this.#names(rows, TYPES, ODD_TYPES),
      entity: this.#names(rows, ENTITIES, ODD_ENTITIES),
      payload: this.#texts(rows, texts, 0.005),
      metadata: this.#chance(0.5) ? this.#texts(rows, texts, 0.3) : null,
      timestamp: this.#chance(0.5) ? this.#numbers(rows, TIMES, ODD_TIMES) : null,
      expectedVersion: this.#chance(0.5) ? this.#numbers(rows, VERSIONS, ODD_VERSIONS) : null,
    };
    // A number runs on into the text of the row behind it, and such rows are the other path's.
    const isPlain = this.#isPlain && ![columns.payload, columns.metadata].some(hasNumbers);
    return { columns, isPlain };
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  #mostly<T>(usual: readonly T[], odd: readonly T[]): T {
    if (this.#chance(0.985)) return this.#random.pick(usual);
    this.#isPlain = false;
    return this.#random.pick(odd);
  }

  #names(rows: number, usual: readonly string[], odd: readonly string[]): TextColumn {
    const isDictionary = this.#chance(0.5);
    const values = Array.from({ length: isDictionary ? 3 : rows }, () => this.#mostly(usual, odd));
    const keys = isDictionary
      ? Int32Array.from({ length: rows }, () => this.#random.below(3))
      : null;
    const validity = this.#chance(0.02) ? this.#validity(rows) : null;
    if (validity !== null) this.#isPlain = false;
    return { ...this.#column(values), keys, validity };
  }

  #texts(rows: number, texts: readonly string[], nullable: number): TextColumn {
    const values = Array.from({ length: rows }, () => this.#mostly(texts, ODD_TEXTS));
    const validity = this.#chance(nullable) ? this.#validity(rows) : null;
    if (validity !== null && nullable < 0.1) this.#isPlain = false;
    return { ...this.#column(values), keys: null, validity };
  }

  #validity(rows: number): Uint8Array {
    return Uint8Array.from({ length: Math.ceil(rows / 8) }, () => this.#random.below(256));
  }

  #column(values: readonly string[]): Omit<TextColumn, 'validity'> {
    // Some begin in the middle of their buffer, as slices do; some have a damaged byte.
    const before = this.#chance(0.3) ? 'xyz' : '';
    const bytes = Buffer.from(before + values.join(''));
    const offsets = Int32Array.from([before, ...values], (text) => Buffer.byteLength(text));
    for (let i = 1; i < offsets.length; i++)
      offsets[i] = (offsets[i] as number) + (offsets[i - 1] as number);
    if (this.#chance(0.03) && bytes.length > 3) {
      this.#isPlain = false;
      bytes[this.#random.below(bytes.length)] = this.#random.below(256);
    }
    return { values: bytes, offsets, keys: null };
  }

  #numbers(rows: number, usual: readonly number[], odd: readonly number[]): Float64Array {
    return Float64Array.from({ length: rows }, () => this.#mostly(usual, odd));
  }
}

function hasNumbers(column: TextColumn | null): boolean {
  if (column === null) return false;
  const { values, offsets } = column;
  return Array.from(offsets.subarray(1)).some((end) => /[\d.eE]/.test(at(values, end - 1)));
}

function at(values: Uint8Array, index: number): string {
  return String.fromCharCode(values[index] ?? 0);
}

const kernel = testKernel();

function byKernel(columns: EventColumns): unknown[] | null {
  const request = kernel.scanColumns(columns, { ...LIMITS, now: NOW });
  if (request === null) return null;
  expect(request.eventCount).toBe(columns.rows);
  return Array.from({ length: columns.rows }, (_, row) => {
    const { timestamp, expectedVersion, ...spans } = kernel.spansOf(request, row);
    return { ...kernelTexts(spans), timestamp, expectedVersion };
  });
}

function kernelTexts(
  spans: Omit<ReturnType<typeof kernel.spansOf>, 'timestamp' | 'expectedVersion'>,
) {
  return Object.fromEntries(
    Object.entries(spans).map(([name, span]) => [
      name,
      span === null ? null : kernel.textOf(span).toString('utf8'),
    ]),
  );
}

function inTypeScript(columns: EventColumns): unknown[] | string {
  try {
    return parseColumns(columns, { limits: LIMITS, now: NOW }).map((draft) => ({
      ...draft,
      payload: draft.payload.toString('utf8'),
      metadata: draft.metadata?.toString('utf8') ?? null,
    }));
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

it('kernel and TypeScript judge random and damaged columns alike', () => {
  const count = Number(process.env.ALLSOURCE_TEST_FUZZ ?? 100_000) / 10;
  const seed = Number(process.env.ALLSOURCE_TEST_SEED ?? Date.now() % 1_000_000_000);
  const random = new RandomColumns(seed);
  const outcomes = { 'by the kernel': 0, 'by the slow path': 0, refused: 0 };
  console.info(`column fuzz: seed ${seed}, ${count} batches`);
  for (let i = 0; i < count; i++) {
    const { columns, isPlain } = random.next();
    const quick = byKernel(columns);
    const slow = inTypeScript(columns);
    if (quick !== null) assert.deepEqual(quick, slow);
    if (isPlain) assert.notEqual(quick, null, JSON.stringify(slow));
    if (typeof slow === 'string') outcomes.refused++;
    else outcomes[quick === null ? 'by the slow path' : 'by the kernel']++;
  }
  console.info(`column fuzz: ${JSON.stringify(outcomes)}`);
  for (const taken of Object.values(outcomes)) expect(taken).toBeGreaterThan(count / 100);
}, 1_800_000);
