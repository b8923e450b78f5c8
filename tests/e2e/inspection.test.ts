/**
 * `allsource verify` and `allsource doctor` on the store as its users run it, and on its folder. The tests of a group share one store, and leave it for the next as they
 * found it.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@allsource/testkit';
import { run } from '../support/command.ts';
import { reportNotTested } from '../support/fault-run.ts';
import { RunningStore } from '../support/running-store.ts';
import { Tracer, tracerFault } from '../support/tracer.ts';

const SEGMENT_BYTES = 1024 * 1024;
const HEADER_BYTES = 4096;

interface Finding {
  readonly kind: string;
  readonly segment: string | null;
  readonly offset: number;
  readonly end_offset: number;
  readonly first_position: number | null;
  readonly last_position: number | null;
}

interface Verification {
  readonly head: number;
  readonly damages: number;
  readonly intact: readonly (readonly [number, number])[];
  readonly findings: readonly Finding[];
}

interface Check {
  readonly check: string;
  readonly status: string;
  readonly evidence: string;
}

let store: RunningStore;

/** Full segments stay raw where a test changes their bytes. */
async function start(sealBytesPerSecond: number): Promise<void> {
  store = await RunningStore.start({
    ALLSOURCE_SEGMENT_BYTES: String(SEGMENT_BYTES),
    ALLSOURCE_SEAL_BYTES_PER_S: String(sealBytesPerSecond),
  });
}

/** One store for all tests of a group. */
function storeOfGroup(sealBytesPerSecond: number): void {
  beforeAll(() => start(sealBytesPerSecond), 300_000);
  afterAll(() => store.remove(), 300_000);
}

const logFolder = () => join(store.dataDir, 'core/log');

function segments(): string[] {
  return readdirSync(logFolder())
    .filter((name) => /^\d{20}\.(seg|sealed)$/.test(name))
    .toSorted();
}

async function append(batches: number): Promise<void> {
  const events = Array.from({ length: 500 }, (_, n) => ({
    event_type: 'order.placed',
    entity_id: `order-${n % 100}`,
    payload: { n, note: 'x'.repeat(150) },
  }));
  for (let n = 0; n < batches; n++) {
    const answer = await store.post('/api/v1/events/batch', { events });
    expect(answer.status).toBe(201);
  }
}

async function verified(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly result: Verification }> {
  const command = await run(store, ['verify', ...args, '--json']);
  const [result] = command.lines<Verification>();
  if (result === undefined) throw new TypeError(command.stderr);
  return { code: await command.exitCode, result };
}

async function doctored(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly wrong: readonly Check[] }> {
  const command = await run(store, ['doctor', ...args, '--output', 'ndjson']);
  const wrong = command.lines<Check>().filter(({ status }) => status !== 'ok');
  return { code: await command.exitCode, wrong };
}

function flip(segment: string, byte: number): void {
  const file = openSync(join(logFolder(), segment), 'r+');
  const one = Buffer.alloc(1);
  readSync(file, one, 0, 1, byte);
  one[0] = (one[0] ?? 0) ^ 0x10;
  writeSync(file, one, 0, 1, byte);
  closeSync(file);
}

const noTracer = tracerFault();
if (noTracer !== null) reportNotTested('doctor of a poisoned writer', noTracer);
const traced = noTracer === null ? describe : describe.skip;

describe('a healthy store', () => {
  storeOfGroup(64 * SEGMENT_BYTES);

  it('verifies as intact from its folder and by itself, also while it appends, rolls segments and seals them', async () => {
    const appending = append(40);
    const results = [];
    for (let round = 0; round < 3; round++) {
      results.push(await verified([store.dataDir]));
      results.push(await verified(['--url', store.url]));
    }
    await appending;
    results.push(await verified(['--url', store.url]));
    await until(() => (segments()[1] ?? '').endsWith('.sealed'));
    expect(segments()[1]).toMatch(/sealed$/);
    results.push(await verified([store.dataDir]));
    expect(segments().length).toBeGreaterThan(3);
    for (const { code, result } of results) {
      expect(result.findings).toEqual([]);
      expect(code).toBe(0);
    }
    expect(Math.max(...results.map(({ result }) => result.head))).toBeGreaterThan(20_000);
    expect(await doctored([store.dataDir])).toMatchObject({ code: 0, wrong: [] });
    expect(await doctored(['--url', store.url])).toMatchObject({ code: 0, wrong: [] });
  });

  it('killed at work, verifies as intact: what the crash left is no damage', async () => {
    const appending = append(1000).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await store.killAll();
    await appending;
    const { code, result } = await verified([store.dataDir]);
    expect({ code, damages: result.damages }).toEqual({ code: 0, damages: 0 });
    expect(await doctored([store.dataDir])).toMatchObject({ code: 0, wrong: [] });
    expect(await doctored(['--url', store.url])).toMatchObject({ code: 6 });
    await store.launch();
    expect(await verified(['--url', store.url])).toMatchObject({
      code: 0,
      result: { findings: [] },
    });
  });

  traced('whose writer is stopped by a disk error', () => {
    it('is diagnosed with the reason and what to do', async () => {
      const tracer = await Tracer.attach({
        pid: store.pidOf('core'),
        call: 'fdatasync',
        error: 'EIO',
        when: 1,
      });
      const event = { event_type: 'a.b', entity_id: 'e', payload: {} };
      expect((await store.post('/api/v1/events', event)).status).toBe(503);
      await tracer.close();
      const { code, wrong } = await doctored(['--url', store.url]);
      expect(code).toBe(1);
      expect(wrong).toMatchObject([{ check: 'core', status: 'fault' }]);
      expect(wrong[0]?.evidence).toContain('the writer has stopped after a disk error');
    });
  });
});

describe('a store whose segments stay raw', () => {
  storeOfGroup(0);

  it('is verified only for an admin key', async () => {
    const statusWith = async (key: string) => {
      const response = await fetch(`${store.url}/api/v1/operations/verify`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
      });
      await response.text();
      return response.status;
    };
    expect(await statusWith('nobody')).toBe(401);
    const made = await store.post('/api/v1/auth/api-keys', { name: 'reader', role: 'readonly' });
    const { key } = made.body as { key: string };
    expect(await statusWith(key)).toBe(403);
    expect(await statusWith(store.apiKey)).toBe(200);
  });

  it('shows damage while it runs, and serves the rest', async () => {
    await append(20);
    const [first = ''] = segments();
    flip(first, HEADER_BYTES + 3000);
    const { code, result } = await verified(['--url', store.url]);
    expect(code).toBe(7);
    expect(result.findings).toMatchObject([{ kind: 'damaged_bytes', segment: first }]);
    expect(statSync(join(logFolder(), first)).size).toBe(SEGMENT_BYTES);
    flip(first, HEADER_BYTES + 3000);
  });

  it('that was damaged is named at every place with exit code 7, the first being where core refuses to start, and is left as it is', async () => {
    await store.stop();
    const [first = '', second = '', third = ''] = segments();
    flip(first, HEADER_BYTES + 3000);
    flip(second, HEADER_BYTES + 300_000);
    flip(third, 100);
    const names = readdirSync(logFolder());
    const before = names.map((name) => readFileSync(join(logFolder(), name)).toString('base64'));
    const { code, result } = await verified([store.dataDir]);
    expect(code).toBe(7);
    expect(result.findings.map(({ kind, segment }) => [kind, segment])).toEqual([
      ['damaged_bytes', first],
      ['damaged_bytes', second],
      ['damaged_header', third],
    ]);
    expect(result.intact).toHaveLength(3);
    expect(await doctored([store.dataDir])).toMatchObject({
      code: 7,
      wrong: [{ check: 'log', status: 'damage' }],
    });
    expect(readdirSync(logFolder())).toEqual(names);
    const after = names.map((name) => readFileSync(join(logFolder(), name)).toString('base64'));
    expect(after).toEqual(before);
    flip(third, 100);
    // With a checkpoint a start reads only what lies behind it.
    rmSync(join(store.dataDir, 'core/checkpoints'), { recursive: true, force: true });
    await expect(store.launch()).rejects.toThrow(
      `Segment ${first} is damaged in bytes ${result.findings[0]?.offset} to ${result.findings[0]?.end_offset}`,
    );
    flip(first, HEADER_BYTES + 3000);
    flip(second, HEADER_BYTES + 300_000);
    expect(await verified([store.dataDir])).toMatchObject({ code: 0 });
  });

  it('of which a segment was deleted is missing exactly its positions', async () => {
    const [, second = '', third = ''] = segments();
    rmSync(join(logFolder(), second));
    const { code, result } = await verified([store.dataDir]);
    expect(code).toBe(7);
    expect(result.findings).toMatchObject([
      {
        kind: 'missing_positions',
        first_position: Number.parseInt(second, 10),
        last_position: Number.parseInt(third, 10) - 1,
      },
    ]);
  });
});
