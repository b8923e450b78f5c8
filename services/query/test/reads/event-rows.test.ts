import { describe, expect, it } from '@jest/globals';
import { POSITION_ZERO } from '@allsource/shared/model';
import type { RowStretches } from '../../src/history/event-history.ts';
import type { EventRun } from '../../src/history/event-run.ts';
import { Tail } from '../../src/history/tail/tail.ts';
import { writeEventLine } from '../../src/formats/ndjson-encoder.ts';
import { writeEvent } from '../../src/reads/event-output.ts';
import { EventRows } from '../../src/reads/event-rows.ts';
import { type AnswerSink, JsonWriter } from '../../src/reads/json-writer.ts';
import { randomLog } from '../support/generated-log.ts';
import { type HandMadeRow, handMadeRun } from '../support/hand-made-run.ts';
import { propertySeed } from '../support/random.ts';
import { testPageKernel } from '../support/test-page-kernel.ts';

/** Takes an answer as text. */
class TextSink implements AnswerSink {
  readonly isOpen = true;
  text = '';

  write(): boolean {
    throw new Error('the answer fits one part');
  }

  async drained(): Promise<void> {}

  end(part: Buffer): void {
    this.text = part.toString();
  }
}

function written(write: (writer: JsonWriter) => void): string {
  const sink = new TextSink();
  const writer = new JsonWriter(sink);
  write(writer);
  writer.end();
  return sink.text;
}

/** A run of a generated log. */
function runOf(seed: number, events: number): EventRun {
  const tail = new Tail(POSITION_ZERO, { rows: 1000, frameBytes: 2 ** 20 });
  for (const frame of randomLog({ seed, events, pastShare: 0.3 }).frames)
    if (frame.isSystem) tail.cover(frame.lastPosition);
    else tail.append(frame);
  return tail.run();
}

const whole = (run: EventRun): RowStretches => [
  { run, rows: Uint32Array.from({ length: run.rowCount }, (_, row) => row) },
];

const calm = { isTurnOver: false };
const withKernel = { kernel: testPageKernel, writeEvent, pace: calm };

function writeAll(events: EventRows, stretches: RowStretches): void {
  events.begin(stretches);
  while (events.writeBatch());
}

const page = (
  stretches: RowStretches,
  options: typeof withKernel | { kernel: null } = withKernel,
) =>
  written((writer) =>
    writeAll(new EventRows(writer, { writeEvent, pace: calm, ...options }), stretches),
  );

/** The law: what each event alone has, with commas in between. */
const expected = (stretches: RowStretches) =>
  stretches
    .flatMap(({ run, rows }) => [...rows].map((row) => run.event(row)))
    .map((event) => written((writer) => writeEvent(writer, event)))
    .join(',');

const linesOf = (stretches: RowStretches, kernel: typeof testPageKernel | null = testPageKernel) =>
  written((writer) =>
    writeAll(
      new EventRows(writer, { kernel, writeEvent: writeEventLine, form: 'lines', pace: calm }),
      stretches,
    ),
  );

/** The law for lines: what each event alone has. */
const expectedLines = (stretches: RowStretches) =>
  stretches
    .flatMap(({ run, rows }) => [...rows].map((row) => run.event(row)))
    .map((event) => written((writer) => writeEventLine(writer, event)))
    .join('');

/** JSON text of about so many bytes. */
const textOf = (length: number) => `"${'€'.repeat(length / 3)}${'x'.repeat(length % 3)}"`;

const made = (rows: readonly HandMadeRow[]): RowStretches => whole(handMadeRun(rows));

describe('rows of a page', () => {
  it('are the bytes that one event alone has, with commas in between', () => {
    const stretches = whole(runOf(propertySeed('event rows'), 600));
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are so without a kernel', () => {
    const stretches = whole(runOf(propertySeed('rows without a kernel'), 60));
    expect(page(stretches, { kernel: null })).toBe(expected(stretches));
  });

  it('are so when they go to and fro between more runs than an answer remembers', () => {
    const seed = propertySeed('rows to and fro');
    const runs = Array.from({ length: 40 }, (_, i) => runOf(seed + i, 20));
    const stretches = Array.from({ length: 12 }, (_, row) =>
      runs.filter((run) => row < run.rowCount).map((run) => ({ run, rows: Uint32Array.of(row) })),
    ).flat();

    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are so when batches end early because a turn is over', () => {
    const seed = propertySeed('rows in short turns');
    const runs = Array.from({ length: 5 }, (_, i) => runOf(seed + i, 40));
    const stretches = runs.flatMap(whole);
    let batches = 0;
    const text = written((writer) => {
      const events = new EventRows(writer, { ...withKernel, pace: { isTurnOver: true } });
      events.begin(stretches);
      while (events.writeBatch()) batches += 1;
    });

    expect(text).toBe(expected(stretches));
    expect(batches).toBeGreaterThan(runs.length);
  });

  it('are so when several answers are made in turns', () => {
    const seed = propertySeed('rows in turns');
    const pages = [0, 1, 2].map((i) => whole(runOf(seed + i, 400)));
    const sinks = pages.map(() => new TextSink());
    const writers = sinks.map((sink) => new JsonWriter(sink));
    const answers = writers.map((writer) => new EventRows(writer, withKernel));
    for (const [i, answer] of answers.entries()) answer.begin(pages[i] as RowStretches);
    let more = true;
    while (more) more = answers.map((answer) => answer.writeBatch()).some(Boolean);
    for (const writer of writers) writer.end();

    expect(sinks.map(({ text }) => text)).toEqual(pages.map(expected));
  });

  it('are so for texts of any length, those too long for a batch too', () => {
    const lengths = [2, 3, 511, 512, 513, 65_000, 20, 65_536, 200_000, 40_000, 30_000, 7];
    const stretches = made(
      lengths.map((length) => ({ payload: textOf(length), metadata: textOf(length / 2) })),
    );
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are so for ids that are put together out of any numbers', () => {
    const rows = [1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 12_345, 2 ** 52 - 1].flatMap((at) =>
      [0, 999, 1_800_000_000_123_456, 2 ** 53 - 1].flatMap((recordedAt) =>
        [0, 1, 0xfff, 0x1000, 0x3f_ffff].map((idRandom) => ({
          position: at,
          recordedAt,
          idRandom,
        })),
      ),
    );
    expect(page(made(rows))).toBe(expected(made(rows)));
  });

  it('are so with more rows than a batch holds', () => {
    const stretches = made(Array.from({ length: 2_000 }, (_, i) => ({ payload: '1', version: i })));
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('leave nothing behind when one cannot be read', () => {
    const damaged = whole(handMadeRun([{}, {}, { damage: new Error('damaged') }]));
    expect(() => page(damaged)).toThrow('damaged');
    const stretches = made([{ payload: '1' }]);
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are none when the stretches have none', () => {
    expect(page([])).toBe('');
    expect(page(whole(handMadeRun([])))).toBe('');
    expect(page(whole(handMadeRun([])), { kernel: null })).toBe('');
  });
});

describe('values of a row', () => {
  it('are whole numbers up to the largest', () => {
    const powers = Array.from({ length: 16 }, (_, i) => 10 ** i);
    const around = powers.flatMap((power) => [power - 1, power, power + 1]);
    const more = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    const values = [...around.filter(Number.isSafeInteger), ...more];
    const stretches = made(values.map((value) => ({ version: value, position: value })));
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are any instants of two clocks, with microseconds only where there are some', () => {
    const ends = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 999_999];
    const seconds = [...ends, -1_000_000, 0, 1_795_302_600_000_000];
    const fractions = [0, 1, 999, 1000, 120_000, 999_999];
    const instants = seconds.flatMap((second) => fractions.map((fraction) => second + fraction));
    const stretches = made(
      instants.map((timestamp, i) => ({ timestamp, recordedAt: instants.at(-i) ?? 0 })),
    );
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are instants of many days in any order', () => {
    const day = 86_400_000_000;
    const rows = Array.from({ length: 3_000 }, (_, i) => ({
      timestamp: ((i * 7_919) % 150_000) * day + ((i * 104_729) % 86_400) * 1_000_000 - 2 ** 52,
    }));
    const stretches = made(rows);
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are names as JSON strings have them', () => {
    const long = '"\\ü'.repeat(300);
    const names = ['order-1', 'a "quoted" one', 'back\\slash', '"', 'Grüße/ü €𐍈', 'x', long];
    const stretches = made(names.map((entity) => ({ entity })));
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are ids', () => {
    const ids = ['00ff10a5c3d47e8f9b1122334455667f', '0123456789abcdeffedcba9876543210'];
    const stretches = made(ids.map((id) => ({ id: Buffer.from(id, 'hex') })));
    expect(page(stretches)).toBe(expected(stretches));
  });

  it('are metadata, or null', () => {
    const stretches = made([{ metadata: '{"a":1}' }, {}, { metadata: '{}' }, { payload: 'null' }]);
    expect(page(stretches)).toBe(expected(stretches));
  });
});

describe('rows as lines', () => {
  it('are the lines that one event alone has', () => {
    const stretches = whole(runOf(propertySeed('event lines'), 600));
    expect(linesOf(stretches)).toBe(expectedLines(stretches));
    expect(linesOf(stretches, null)).toBe(expectedLines(stretches));
  });

  it('are so for texts of any length with line breaks anywhere, those too long for a batch too', () => {
    const lengths = [2, 3, 15, 16, 17, 31, 32, 33, 511, 512, 513, 65_000, 20, 200_000, 7];
    const breaks = ['\n', '\r', '\r\n', '\n\n\n'];
    const stretches = made(
      lengths.flatMap((length) =>
        breaks.map((lineBreak) => ({
          payload: `${lineBreak}[${textOf(length)}${lineBreak},${lineBreak}${textOf(length / 3)}]${lineBreak}`,
          metadata: `{${lineBreak}}`,
        })),
      ),
    );
    expect(linesOf(stretches)).toBe(expectedLines(stretches));
    expect(linesOf(stretches).split('\n')).toHaveLength(lengths.length * breaks.length + 1);
  });
});
