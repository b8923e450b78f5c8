/**
 * R17 for the event history: the query service is killed with SIGKILL while it follows, writes blocks and merges indexes, and between kills its files are
 * deleted, cut, changed, or put back to an older state. Each time it is let run, it ends with the answers of a fresh replay of the log.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { QueryProcess } from '../support/query-process.ts';

const KILLS = isLong ? 500 : 6;
const KILLS_A_COMPARISON = isLong ? 10 : 3;
const ENTITIES = 60;
const BATCH_EVENTS = 50;
const EVENTS_FIRST = 6_000;
const EVENTS_A_KILL = isLong ? 300 : 900;
const BLOCKS_A_LIFE_MAX = 12;
const LIFE_MS_MAX = 2_000;
const START_MS_MAX = 1_000;
const environment = { ALLSOURCE_BLOCK_EVENTS: '60' };

const core = new CoreProcess();
const query = new QueryProcess(core, environment);
const older = mkdtempSync(join(tmpdir(), 'allsource-older-'));

afterEach(async () => {
  await query.remove();
  await core.remove();
  rmSync(older, { recursive: true, force: true });
});

async function append(random: SeededRandom, events: number): Promise<void> {
  for (let sent = 0; sent < events; sent += BATCH_EVENTS) {
    const batch = Array.from({ length: BATCH_EVENTS }, (_, i) => ({
      event_type: `order.${['placed', 'paid', 'shipped'][random.below(3)]}`,
      entity_id: `order-${random.below(ENTITIES)}`,
      payload: { n: sent + i, note: 'x'.repeat(random.below(200)) },
    }));
    const body = JSON.stringify({ events: batch });
    const { status } = await core.ask({ method: 'POST', path: '/api/v1/events/batch', body });
    expect(status).toBe(200);
  }
}

function files(): string[] {
  return existsSync(query.historyFolder) ? readdirSync(query.historyFolder).sort() : [];
}

const blocks = () => files().filter((name) => name.endsWith('.block')).length;

/** Lets it run until it has written some blocks more, or kills it while it starts. */
async function liveAndDie(random: SeededRandom): Promise<void> {
  const target = blocks() + 1 + random.below(BLOCKS_A_LIFE_MAX);
  const isKilledEarly = random.below(4) === 0;
  query.spawn();
  if (isKilledEarly) {
    await pause(random.below(START_MS_MAX));
  } else {
    while (!query.isListening && query.isRunning) await pause(1);
    const until = performance.now() + LIFE_MS_MAX;
    while (blocks() < target && performance.now() < until && query.isRunning) await pause(1);
    await pause(random.below(10));
  }
  expect({ isRunning: query.isRunning, output: query.output }).toMatchObject({ isRunning: true });
  await query.kill();
}

type Damage = (path: string, random: SeededRandom) => void;

const DAMAGES: readonly (readonly [string, Damage])[] = [
  ['deleted', (path) => rmSync(path)],
  ['cut', (path, random) => truncateSync(path, random.below(readFileSync(path).length + 1))],
  ['a bit flipped', flip],
  ['of another format', (path) => writeAt(path, 3, 0x39)],
  ['of an older state', (path) => putBack(path)],
];

function flip(path: string, random: SeededRandom): void {
  const bytes = readFileSync(path);
  const at = random.below(bytes.length);
  writeAt(path, at, (bytes[at] ?? 0) ^ (1 << random.below(8)));
}

function writeAt(path: string, at: number, value: number): void {
  const bytes = readFileSync(path);
  if (at < bytes.length) bytes[at] = value;
  writeFileSync(path, bytes);
}

/** The file as it was at the first comparison; one that was not there then goes. */
function putBack(path: string): void {
  const copy = join(older, path.slice(query.historyFolder.length));
  if (existsSync(copy)) copyFileSync(copy, path);
  else rmSync(path);
}

/** Harms up to three files, or puts the whole folder back. Returns what was done. */
function harm(random: SeededRandom): string[] {
  if (random.below(8) === 0 && readdirSync(older).length > 0) {
    rmSync(query.historyFolder, { recursive: true, force: true });
    cpSync(older, query.historyFolder, { recursive: true });
    return ['folder of an older state'];
  }
  const done: string[] = [];
  for (let i = random.below(4); i > 0; i--) {
    const names = files().filter((name) => /\.(block|entities|draft)$/.test(name));
    const name = names[random.below(Math.max(1, names.length))];
    const chosen = DAMAGES[random.below(DAMAGES.length)];
    if (name === undefined || chosen === undefined) continue;
    chosen[1](join(query.historyFolder, name), random);
    done.push(`${name}: ${chosen[0]}`);
  }
  return done;
}

/** A hash of everything that can be asked. */
async function answers(process: QueryProcess): Promise<string> {
  const hash = createHash('sha256');
  const paths = [
    '/api/v1/events/query',
    '/api/v1/entities?limit=1000',
    '/api/v1/event-types',
    '/api/v1/streams',
  ];
  for (let entity = 0; entity < ENTITIES; entity++)
    paths.push(`/api/v1/events/query?entity_id=order-${entity}`);
  for (const path of paths) hash.update(await process.answer(path));
  return hash.digest('hex');
}

async function replayed(): Promise<string> {
  const fresh = new QueryProcess(core, environment);
  try {
    fresh.spawn();
    return await answers(fresh);
  } finally {
    await fresh.remove();
  }
}

describe('the query service, killed while it follows, and its history harmed', () => {
  it(`${KILLS} times, ends with the answers of a fresh replay`, async () => {
    const random = new SeededRandom(seed);
    await core.start();
    await append(random, EVENTS_FIRST);
    const harmed: string[] = [];
    let leftDrafts = 0;
    for (let kill = 1; kill <= KILLS; kill++) {
      await liveAndDie(random);
      leftDrafts += files().filter((name) => name.endsWith('.draft')).length;
      const done = harm(random);
      harmed.push(...done);
      await append(random, EVENTS_A_KILL);
      if (kill % KILLS_A_COMPARISON !== 0) continue;
      query.spawn();
      expect({ kill, done, hash: await answers(query) }).toEqual({
        kill,
        done,
        hash: await replayed(),
      });
      await query.stop();
      expect(files().filter((name) => name.endsWith('.draft'))).toEqual([]);
      if (readdirSync(older).length === 0) cpSync(query.historyFolder, older, { recursive: true });
    }
    report('R17 event history', {
      kills: KILLS,
      'files harmed': harmed.length,
      'drafts found after a kill': leftDrafts,
      blocks: blocks(),
      indexes: files().filter((name) => name.endsWith('.entities')).length,
    });
    expect(harmed.length).toBeGreaterThan(0);
  }, 3_600_000);
});
