import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { isLong, SeededRandom } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { temporaryFolder } from './temporary-folder.ts';

const CHILD = fileURLToPath(new URL('./appending-child.ts', import.meta.url));
const SEGMENT_BYTES = 64 * 1024;
const KILLS = isLong ? 60 : 10;

/** Runs the appending process and kills it with SIGKILL after some acknowledgements. Returns what it had acknowledged: position to checksum. */
function killedAfter(acknowledgements: number, folder: string, seed: number) {
  return new Promise<Map<number, number>>((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, folder, String(SEGMENT_BYTES), String(seed)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let printed = '';
    child.stdout.on('data', (text: Buffer) => {
      printed += text.toString('latin1');
      if (printed.split('\n').length > acknowledgements) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('close', (_code, signal) => {
      if (signal !== 'SIGKILL') reject(new TypeError(`the child ended by itself: ${printed}`));
      else resolve(acknowledgedIn(printed));
    });
  });
}

/** Whole lines only: a line that the kill cut was not seen by anybody. */
function acknowledgedIn(printed: string): Map<number, number> {
  const lines = printed.split('\n').slice(0, -1);
  return new Map(
    lines.map((line): [number, number] => {
      const [position, checksum] = line.split(' ').map(Number);
      return [position ?? 0, checksum ?? 0];
    }),
  );
}

describe('a writer killed with kill -9', () => {
  it(`${KILLS} times leaves every acknowledged event, and a log that goes on`, async () => {
    const folder = temporaryFolder();
    const random = new SeededRandom(20);
    const acknowledged = new Map<number, number>();
    const notices: LogNotice[] = [];
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const seen = await killedAfter(1 + random.below(300), folder.path, kill);
        for (const [position, checksum] of seen) acknowledged.set(position, checksum);
        const store = new FileLogStore({
          disk: new NodeDisk(folder.path),
          segmentBytes: SEGMENT_BYTES,
          partitionCount: 256,
          onNotice: (notice) => notices.push(notice),
        });
        const found = new Map<number, number>();
        let next = 1;
        const head = await store.open({
          onFrame: (frame) => {
            expect(frame.position).toBe(next);
            next = frame.lastPosition + 1;
            found.set(frame.lastPosition, frame.checksum);
          },
        });
        expect(head.position).toBe(next - 1);
        const lost = [...acknowledged].filter(([at, checksum]) => found.get(at) !== checksum);
        expect(lost).toEqual([]);
        // Half of the stores are left as a kill would leave them, without the marker of a clean close.
        if (kill % 2 === 0) await store.close();
      }
      console.log(
        `${KILLS} kills: ${acknowledged.size} acknowledged frames, 0 lost, ${notices.length} torn tails, seed 20`,
      );
    } finally {
      folder.remove();
    }
  });
});
