/** The three trials, the same for every subject. What each counts is explained in bench/README.md. */
import {
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SeededNumbers } from './seeded-numbers.ts';
import { sleep } from '../subjects/server-process.ts';
import { type ReliabilitySubject, type RunningStore, type StoredEvent, textOf } from './subject.ts';

const CLIENTS = 8;
const BASE_EVENTS = 2_000;
/** The stretch before the end of the newest file in which it is cut. */
const CUT_BYTES_MAX = 16 * 1024;

export interface TrialRun {
  readonly subject: ReliabilitySubject;
  /** A folder for this run alone. */
  readonly folder: string;
  readonly seed: number;
}

export interface KillResult {
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly wrong: number;
}

/** Kills the store under load, again and again, and sends what was not acknowledged once more under its key. */
export async function killTrial(
  { subject, folder, seed }: TrialRun,
  kills: number,
): Promise<KillResult> {
  const random = new SeededNumbers(seed);
  const acknowledged = new Set<string>();
  let unknown: string[] = [];
  for (let round = 0; round < kills; round++) {
    const store = await subject.start(folder);
    for (const key of unknown) await appended(store, key, acknowledged);
    unknown = [];
    const load = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let n = 0; ; n++) {
        const key = `${round}-${client}-${n}`;
        if (await appended(store, key, acknowledged)) continue;
        unknown.push(key);
        return;
      }
    });
    await sleep(50 + random.below(250));
    await store.kill();
    await Promise.all(load);
  }
  const store = await subject.start(folder);
  for (const key of unknown) await appended(store, key, acknowledged);
  if (acknowledged.size === 0) throw new Error(`${subject.name} has acknowledged nothing`);
  const found = await store.readAll();
  await store.stop();
  return { kills, acknowledged: acknowledged.size, ...compared(found, acknowledged) };
}

async function appended(
  store: RunningStore,
  key: string,
  acknowledged: Set<string>,
): Promise<boolean> {
  try {
    await store.append(key, textOf(key));
  } catch {
    return false;
  }
  acknowledged.add(key);
  return true;
}

function compared(
  found: readonly StoredEvent[],
  acknowledged: ReadonlySet<string>,
): { readonly lost: number; readonly duplicated: number; readonly wrong: number } {
  const keys = new Set(found.map(({ key }) => key));
  return {
    lost: [...acknowledged].filter((key) => !keys.has(key)).length,
    duplicated: found.length - keys.size,
    wrong: found.filter(({ key, text }) => text !== textOf(key)).length,
  };
}

export interface DamageResult {
  readonly planted: number;
  /** The store did not start, or a read failed: somebody is told. */
  readonly detected: number;
  /** Everything is as it was. */
  readonly harmless: number;
  /** Fewer events are served, and no reader is told. */
  readonly shortened: number;
  /** The events that were lost in that way, on average. */
  readonly eventsLost: number;
  /** Events with another text than was sent are served. */
  readonly servedWrong: number;
}

/** Flips one bit of the files that hold events, after a clean stop, and reads everything; again and again, each time from the undamaged state. */
export async function flipTrial(run: TrialRun, flips: number): Promise<DamageResult> {
  const base = await filledFolder(run, 'stop');
  return damaged({ ...run, times: flips, base }, (files, random) => {
    const sizes = files.map(contentBytes);
    let at = random.below(sizes.reduce((sum, size) => sum + size, 0));
    const hit = sizes.findIndex((size) => (at -= size) < 0);
    const path = files[hit] ?? '';
    const bytes = readFileSync(path);
    const offset = at + (sizes[hit] ?? 0);
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << random.below(8));
    writeFileSync(path, bytes);
  });
}

/** Cuts the end of the newest file that holds events, after a clean stop or a kill -9, and reads everything. */
export async function cutTrial(
  run: TrialRun,
  { cuts, after }: { readonly cuts: number; readonly after: 'stop' | 'kill' },
): Promise<DamageResult> {
  const base = await filledFolder(run, after);
  return damaged({ ...run, times: cuts, base }, (files, random) => {
    const path = files.at(-1) ?? '';
    const end = contentBytes(path);
    truncateSync(path, Math.max(0, end - 1 - random.below(Math.min(CUT_BYTES_MAX, end))));
  });
}

async function filledFolder(
  { subject, folder }: TrialRun,
  after: 'stop' | 'kill',
): Promise<string> {
  const base = join(folder, `base-${after}`);
  mkdirSync(base, { recursive: true });
  const store = await subject.start(base);
  for (let n = 0; n < BASE_EVENTS; n += CLIENTS) {
    const keys = Array.from({ length: CLIENTS }, (_, client) => `base-${n + client}`);
    await Promise.all(keys.map((key) => store.append(key, textOf(key))));
  }
  await store[after]();
  return base;
}

/** Files are preallocated by some: what counts is up to the last byte that is not zero. */
function contentBytes(path: string): number {
  const bytes = readFileSync(path);
  let length = statSync(path).size;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return length;
}

async function damaged(
  run: TrialRun & { readonly times: number; readonly base: string },
  harm: (files: readonly string[], random: SeededNumbers) => void,
): Promise<DamageResult> {
  const { subject, folder, times, base, seed } = run;
  const random = new SeededNumbers(seed);
  const acknowledged = new Set(Array.from({ length: BASE_EVENTS }, (_, n) => `base-${n}`));
  const result = { detected: 0, harmless: 0, shortened: 0, servedWrong: 0 };
  let lostInAll = 0;
  for (let n = 0; n < times; n++) {
    const copy = join(folder, 'copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(base, copy, { recursive: true });
    harm(subject.eventFiles(copy), random);
    const found = await readOrNull(subject, copy);
    if (found === null) {
      result.detected += 1;
      continue;
    }
    const { lost, wrong } = compared(found, acknowledged);
    if (wrong > 0) result.servedWrong += 1;
    else if (lost > 0) {
      result.shortened += 1;
      lostInAll += lost;
    } else result.harmless += 1;
  }
  const eventsLost = result.shortened === 0 ? 0 : lostInAll / result.shortened;
  return { planted: times, ...result, eventsLost };
}

async function readOrNull(
  subject: ReliabilitySubject,
  folder: string,
): Promise<StoredEvent[] | null> {
  let store: RunningStore;
  try {
    store = await subject.start(folder);
  } catch {
    return null;
  }
  try {
    return await store.readAll();
  } catch {
    return null;
  } finally {
    await store.kill();
  }
}
