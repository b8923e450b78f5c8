/** What is done about each outcome of an append: repeated as it was, put together anew behind a search, or taken apart until only what cannot be stored is left over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pipeline } from '../../src/pipelines/definition/pipeline-definition.ts';
import type { AppendOutcome, AppendRequest } from '../../src/pipelines/run/core-appender.ts';
import { Emitter } from '../../src/pipelines/run/emitter.ts';
import { Outbox } from '../../src/pipelines/run/outbox.ts';
import { PipelineFile } from '../../src/pipelines/run/pipeline-file.ts';

const PIPELINE: Pipeline = {
  tenant: 't',
  id: 'p',
  name: 'n',
  sourceEventTypes: [],
  operators: [],
  output: { kind: 'emit', eventType: 'out', entityField: null },
  generation: 1,
  run: 'run',
  startAfter: 0,
};
const NO_COUNTS = { processed: 0, filtered: 0, failed: 0, late: 0, cut: 0, outputs: 0 };

let folder = '';
let file: PipelineFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'allsource-emitter-'));
  file = PipelineFile.open(join(folder, 'p.sqlite'), 0);
});

afterEach(() => {
  file.close();
  rmSync(folder, { recursive: true });
});

function put(position: number, bodies: readonly string[]): void {
  file.save({
    logId: 'log',
    position,
    counts: NO_COUNTS,
    lastProcessed: null,
    states: [],
    results: [],
    faults: [],
    outbox: bodies.map((body, ordinal) => ({ kind: 'emit', route: '', position, ordinal, body })),
  });
}

/** Lets an emitter write until the outbox has nothing that waits. Each append is judged by `judge`. */
async function emitted(
  judge: (request: AppendRequest, number: number) => AppendOutcome,
  search: (outbox: Outbox) => void = () => {},
): Promise<AppendRequest[]> {
  const outbox = new Outbox(file.database);
  const requests: AppendRequest[] = [];
  const emitter = new Emitter({
    pipeline: PIPELINE,
    outbox,
    appender: {
      append: (request) => {
        requests.push(request);
        return Promise.resolve(judge(request, requests.length));
      },
    },
    search: () => {
      search(outbox);
      return Promise.resolve();
    },
    onSettled: () => {},
  });
  emitter.start();
  while (outbox.pendingCount > 0) await nextTurn();
  await emitter.close();
  return requests;
}

/** Refuses what holds an event that cannot be stored. */
const judge = ({ events }: AppendRequest): AppendOutcome =>
  events.includes('bad') ? { kind: 'refused', reason: 'no' } : { kind: 'appended' };

describe('an emitter', () => {
  it('repeats an append whose answer is missing as it was, though more waits by then', async () => {
    put(1, ['a', 'b']);
    const requests = await emitted((_request, number) => {
      if (number === 1) put(2, ['c']);
      return number < 3 ? { kind: 'failed', reason: 'gone' } : { kind: 'appended' };
    });
    expect(requests.map(({ events }) => events)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
      ['c'],
    ]);
    expect(new Set(requests.slice(0, 3).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(requests[3]?.idempotencyKey).not.toBe(requests[0]?.idempotencyKey);
    file.refresh();
    expect(file.progress.emitted).toBe(3);
  });

  it('goes on with the same append after a restart', async () => {
    put(1, ['a', 'b']);
    const before = new Outbox(file.database).nextBatch();
    put(2, ['c']);
    const [first] = await emitted(() => ({ kind: 'appended' }));
    expect(first?.events).toEqual(before?.entries.map(({ body }) => body));
  });

  it('searches the log when its key was used for others, and writes only what it did not find', async () => {
    put(1, ['a', 'b', 'c']);
    const requests = await emitted(
      (_request, number) => ({ kind: number === 1 ? 'key_reused' : 'appended' }),
      (outbox) => outbox.settle([{ position: 1, ordinal: 0 }], 'emitted'),
    );
    expect(requests.map(({ events }) => events)).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
    expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });

  it('takes a refused append apart until only what cannot be stored is left, and tries that again when told', async () => {
    put(1, ['a', 'bad', 'c']);
    const requests = await emitted(judge);
    expect(requests.map(({ events }) => events)).toEqual([
      ['a', 'bad', 'c'],
      ['a'],
      ['bad'],
      ['c'],
    ]);
    const outbox = new Outbox(file.database);
    expect(outbox.counts()).toEqual({ pending: 0, dead: 1 });
    expect(outbox.revive(null)).toBe(1);
    await emitted(() => ({ kind: 'appended' }));
    expect(outbox.counts()).toEqual({ pending: 0, dead: 0 });
  });
});
