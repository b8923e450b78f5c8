import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import type { OpenedJournal } from '../../src/open-journal.ts';
import { temporaryFolder } from '../log/temporary-folder.ts';
import { openCore } from './open-core.ts';

const CHILD = fileURLToPath(new URL('./checkpointing-child.ts', import.meta.url));
const KILLS = process.env['ALLSOURCE_TEST_FAULTS'] === 'long' ? 200 : 4;

interface Acknowledged {
  readonly position: number;
  readonly checksum: number;
  readonly key: string;
}

/** Runs the child and kills it after some acknowledgements; returns those that were printed whole. */
function killedAfter(count: number, folder: string, seed: number): Promise<Acknowledged[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, folder, String(seed)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let printed = '';
    child.stdout.on('data', (text: Buffer) => {
      printed += text.toString('latin1');
      if (printed.split('\n').length > count) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('close', (_code, signal) => {
      if (signal !== 'SIGKILL') reject(new TypeError(`the child ended by itself: ${printed}`));
      else resolve(printed.split('\n').slice(0, -1).map(acknowledgedIn));
    });
  });
}

function acknowledgedIn(line: string): Acknowledged {
  const [position, checksum, key] = line.split(' ');
  return { position: Number(position), checksum: Number(checksum), key: key ?? '' };
}

function knowledgeOf({ journal, directory, consumers, states }: OpenedJournal): unknown {
  const { entities } = journal;
  return {
    head: journal.head,
    counts: [
      entities.totalEntityCount,
      entities.totalEventCount,
      entities.eventTypeCount('default'),
    ],
    heads: Array.from({ length: 5000 }, (_, i) => entities.entityHead('default', `entity-${i}`)),
    folds: [directory, consumers, states].map((fold) => Buffer.concat([...fold.save()]).toString()),
  };
}

async function lostKeys({ journal }: OpenedJournal, all: readonly Acknowledged[]) {
  const lost: string[] = [];
  for (const { key, position, checksum } of all) {
    const outcome = await journal.append({
      tenant: 'default',
      events: [],
      idempotency: { key, bodyDigest: Buffer.from(key.padEnd(16).slice(0, 16)) },
    });
    const isFirst =
      outcome.kind === 'appended' &&
      outcome.isReplay &&
      outcome.frame.lastPosition === position &&
      outcome.frame.checksum === checksum;
    if (!isFirst) lost.push(key);
  }
  return lost;
}

async function closed(core: OpenedJournal): Promise<void> {
  await core.checkpointer?.close();
  await core.journal.close();
}

describe('core killed with kill -9', () => {
  it(
    `${KILLS} times while it writes checkpoints knows what the whole log says, and every acknowledged append`,
    async () => {
      const folder = temporaryFolder();
      const random = new SeededRandom(41);
      const acknowledged: Acknowledged[] = [];
      const counts = { fromCheckpoint: 0, drafts: 0, replayedFrames: 0 };
      const checkpoints = join(folder.path, 'core', 'checkpoints');
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          acknowledged.push(...(await killedAfter(40 + random.below(400), folder.path, kill)));
          const names = readdirSync(checkpoints);
          if (names.includes('writing.tmp')) counts.drafts++;
          for (const name of names)
            expect(statSync(join(checkpoints, name)).mode & 0o777).toBe(0o600);
          const whole = await openCore(folder.path, { checkpointBytes: 0 });
          const knowledge = knowledgeOf(whole);
          await closed(whole);
          const quick = await openCore(folder.path, { checkpointBytes: 2 ** 30 });
          expect(knowledgeOf(quick)).toEqual(knowledge);
          expect(await lostKeys(quick, acknowledged)).toEqual([]);
          if (quick.journal.replayed.after > 0) counts.fromCheckpoint++;
          counts.replayedFrames += quick.journal.replayed.frames;
          // Half of the cores end without the checkpoint of a clean stop.
          await (kill % 2 === 0 ? closed(quick) : quick.journal.close());
          expect(readdirSync(checkpoints).filter((name) => !name.endsWith('.ckpt'))).toEqual([]);
        }
      } finally {
        folder.remove();
      }
      console.log(
        `${KILLS} kills, seed 41: ${acknowledged.length} acknowledged appends, 0 lost; ${JSON.stringify(counts)}`,
      );
      expect(counts.fromCheckpoint).toBe(KILLS);
    },
    KILLS * 30_000,
  );
});
