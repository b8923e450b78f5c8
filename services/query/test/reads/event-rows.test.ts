import { describe, expect, it } from '@jest/globals';
import {
  formatEventId,
  formatTimestamp,
  type Micros,
  POSITION_ZERO,
} from '@allsource/shared/model';
import type { EventRun } from '../../src/history/event-run.ts';
import { Tail } from '../../src/history/tail/tail.ts';
import { writeEvent } from '../../src/reads/event-output.ts';
import { EventRows } from '../../src/reads/event-rows.ts';
import { TimestampText, writeInteger, writeName, writeUuid } from '../../src/reads/json-bytes.ts';
import { type AnswerSink, JsonWriter } from '../../src/reads/json-writer.ts';
import { randomLog } from '../support/generated-log.ts';
import { propertySeed } from '../support/random.ts';

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

const one = (run: EventRun, row: number) => written((writer) => writeEvent(writer, run.event(row)));

describe('rows of a page', () => {
  it('are the bytes that one event alone has, with commas in between', () => {
    const run = runOf(propertySeed('event rows'), 600);
    const rows = Array.from({ length: run.rowCount }, (_, row) => row);

    const page = written((writer) => {
      const events = new EventRows(writer);
      for (const row of rows) events.write(run, row);
    });

    expect(page).toBe(rows.map((row) => one(run, row)).join(','));
  });

  it('are so too when they go to and fro between more runs than an answer remembers', () => {
    const seed = propertySeed('rows to and fro');
    const runs = Array.from({ length: 40 }, (_, i) => runOf(seed + i, 20));
    const rows = Array.from({ length: 12 }, (_, row) => row);
    const visits = rows.flatMap((row) =>
      runs.filter((run) => row < run.rowCount).map((run) => ({ run, row })),
    );

    const page = written((writer) => {
      const events = new EventRows(writer);
      for (const { run, row } of visits) events.write(run, row);
    });

    expect(page).toBe(visits.map(({ run, row }) => one(run, row)).join(','));
  });
});

describe('values as bytes', () => {
  const target = Buffer.alloc(64);
  const text = (end: number) => target.toString('latin1', 3, end);

  it('prints whole numbers', () => {
    const powers = Array.from({ length: 16 }, (_, i) => 10 ** i);
    const around = powers.flatMap((power) => [power - 1, power, power + 1]);
    for (const value of [...around.filter(Number.isSafeInteger), Number.MAX_SAFE_INTEGER])
      expect(text(writeInteger(target, 3, value))).toBe(String(value));
  });

  it('prints any instant, with microseconds only where there are some', () => {
    const ends = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 999_999];
    const seconds = [...ends, -1_000_000, 0, 1_795_302_600_000_000];
    const printer = new TimestampText();
    for (const second of seconds)
      for (const fraction of [0, 1, 999, 1000, 120_000, 999_999]) {
        const value = (second + fraction) as Micros;
        expect(text(printer.write(target, 3, value))).toBe(formatTimestamp(value));
      }
  });

  it('prints instants of many days in any order', () => {
    const printer = new TimestampText();
    const day = 86_400_000_000;
    for (let i = 0; i < 3_000; i++) {
      const value = (((i * 7_919) % 2_500) * day + ((i * 104_729) % 86_400) * 1_000_000) as Micros;
      expect(text(printer.write(target, 3, value))).toBe(formatTimestamp(value));
    }
  });

  it('prints names as JSON strings have them', () => {
    for (const name of ['order-1', 'a "quoted" one', 'back\\slash', '"', 'Grüße/ü €𐍈']) {
      const bytes = Buffer.from(`before${name}behind`);
      const end = writeName(target, 3, bytes, { from: 6, end: bytes.length - 6 });
      expect(target.toString('utf8', 3, end)).toBe(JSON.stringify(name).slice(1, -1));
    }
  });

  it('prints ids', () => {
    const id = Buffer.from('00ff10a5c3d47e8f9b1122334455667f', 'hex');
    expect(text(writeUuid(target, 3, id))).toBe(formatEventId(id, 0));
  });
});
