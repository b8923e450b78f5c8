import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lockFolder } from '@allsource/service-kit/lifecycle';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { micros, type Position, position } from '@allsource/shared/model';
import type { JournalSnapshot } from '../../src/append/journal.ts';
import { CheckpointFolder } from '../../src/checkpoint/checkpoint-folder.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { examineFolder } from '../../src/verify/examine-folder.ts';
import type { InspectedFile } from '../../src/verify/log-files.ts';
import { descriptorCheck, nodeCheck, spaceCheck } from '../../src/verify/machine-checks.ts';
import { openedStore, settled } from '../log/sealing-world.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';
import { SAMPLE_LOG_ID } from '../log/sample-frames.ts';
import { flipBit, overwrite, type PlacedFrame, writeSampleLog } from './damaged-log.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const logFolder = () => join(folder.path, 'core/log');

/** A data folder with a log in it. */
function withLog(): Promise<PlacedFrame[]> {
  mkdirSync(logFolder(), { recursive: true });
  return writeSampleLog(logFolder());
}

function snapshotAt(at: Position): JournalSnapshot {
  const anchor = { logId: SAMPLE_LOG_ID, position: at, checksum: 1 };
  return {
    anchor,
    recordedAt: micros(1),
    sections: [{ name: 'keys/1', parts: [Buffer.from('some part')] }],
    settled: () => Promise.resolve(anchor),
  };
}

async function writeCheckpoint(snapshot: JournalSnapshot): Promise<void> {
  const disk = new NodeDisk(join(folder.path, 'core/checkpoints'));
  const checkpoints = new CheckpointFolder(disk, () => {});
  await checkpoints.startFrom(() => Promise.resolve());
  await checkpoints.write(snapshot, micros(1));
}

async function examine(path = folder.path, wallMs = Date.now()): Promise<InspectionCheck[]> {
  const checks: InspectionCheck[] = [];
  await examineFolder({
    folder: path,
    nowMs: () => performance.now(),
    wallMs: () => wallMs,
    emit: (record) => {
      if (record.record === 'check') checks.push(record);
    },
  });
  return checks;
}

/** What is not in order. */
async function troubles(path?: string, wallMs?: number): Promise<InspectionCheck[]> {
  return (await examine(path, wallMs)).filter(({ status }) => status !== 'ok');
}

/** The same, but for the checkpoints. */
async function logTroubles(): Promise<InspectionCheck[]> {
  return (await troubles()).filter(({ check }) => check !== 'checkpoints');
}

async function evidenceOf(check: string): Promise<string> {
  return (await examine()).find((each) => each.check === check)?.evidence ?? '';
}

describe('the doctor of a folder', () => {
  it('has nothing to say about a healthy one', async () => {
    await withLog();
    const checks = await examine();
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(checks.map(({ check }) => check)).toEqual(
      'node folder lock permissions descriptors space log tail marker clock checkpoints'.split(' '),
    );
  });

  it('says that it is missing, a file, empty, or not ours', async () => {
    const missing = join(folder.path, 'nowhere');
    expect(await troubles(missing)).toMatchObject([
      { check: 'folder', status: 'fault', evidence: `There is no folder ${missing}.` },
    ]);
    expect(await troubles()).toMatchObject([{ check: 'folder', status: 'warning' }]);
    const file = join(folder.path, 'photo.jpg');
    writeFileSync(file, 'x');
    expect(await troubles(file)).toMatchObject([{ check: 'folder', status: 'fault' }]);
    const [foreign] = await troubles();
    expect(foreign).toMatchObject({ check: 'folder', status: 'fault' });
    expect(foreign?.evidence).toContain('it holds photo.jpg');
  });

  it('says who has it open', async () => {
    await withLog();
    const lock = await lockFolder(join(folder.path, 'core'), 'core');
    expect(await evidenceOf('lock')).toContain(`open in core (process ${process.pid})`);
    await lock.release();
    expect(await evidenceOf('lock')).toBe('No process has the folder open.');
  });

  it('says what this user may not read, as which user it ran, and does not call it damage', async () => {
    await withLog();
    for (const name of ['core/log/00000000000000000001.seg'])
      chmodSync(join(folder.path, name), 0o000);
    chmodSync(folder.path, 0o755);
    const program = join(import.meta.dirname, '../../dist/inspect.program.js');
    // The administrator may read everything, so the examination is made by another user.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const child = spawn(process.execPath, [program, 'examine', folder.path], user);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    await once(child, 'close');
    const checks = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    const wrong = checks.filter(({ status }) => status !== 'ok');
    expect(wrong.map(({ check }) => check)).toEqual(['permissions', 'log']);
    expect(wrong[0]).toMatchObject({ status: 'fault' });
    expect(wrong[0].advice).toContain('chown');
  });

  it('names damage in the newest segment and in the header of any, and where to go from there', async () => {
    const frames = await withLog();
    const last = frames.at(-1);
    const newest = join(logFolder(), last?.segment ?? '');
    flipBit(newest, ((last?.offset ?? 0) + 90) * 8);
    const [found] = await troubles();
    expect(found).toMatchObject({ check: 'log', status: 'damage' });
    expect(found?.evidence).toContain(`positions ${last?.firstPosition} to ${last?.lastPosition}`);
    expect(found?.advice).toContain('allsource verify');
    flipBit(newest, ((last?.offset ?? 0) + 90) * 8);
    flipBit(join(logFolder(), '00000000000000000001.seg'), 200);
    expect(await troubles()).toMatchObject([{ check: 'log', status: 'damage' }]);
  });

  it('misses a sealed segment that is not there, as a start does, though it reads no frames of its neighbours', async () => {
    mkdirSync(logFolder(), { recursive: true });
    const shape = { events: 3, payloadBytes: 700 };
    const options = { frames: 300, shape, segmentBytes: 40 * 4096, isSealed: true };
    await writeSampleLog(logFolder(), options);
    expect(await troubles()).toEqual([]);
    const [first = '', second = '', third = ''] = readdirSync(logFolder())
      .filter((name) => name.endsWith('.sealed'))
      .toSorted();
    rmSync(join(logFolder(), second));
    const missing = `positions ${Number.parseInt(second, 10)} to ${Number.parseInt(third, 10) - 1}`;
    const [found, ...more] = await troubles();
    expect(found).toMatchObject({ check: 'log', status: 'damage' });
    expect(found?.evidence).toContain(`damage at ${missing} in segment ${third}`);
    expect(more).toEqual([]);
    rmSync(join(logFolder(), first));
    const upTo = Number.parseInt(third, 10) - 1;
    expect((await troubles())[0]?.evidence).toContain(`damage at positions 1 to ${upTo}`);
  });

  it('finds what a start refuses in a raw segment before sealed ones, and warns of a copy that is not whole', async () => {
    mkdirSync(logFolder(), { recursive: true });
    const options = {
      frames: 300,
      shape: { events: 3, payloadBytes: 700 },
      segmentBytes: 40 * 4096,
    };
    await writeSampleLog(logFolder(), options);
    const raw = '00000000000000000001.seg';
    const sealed = '00000000000000000001.sealed';
    const before = readFileSync(join(logFolder(), raw));
    const { segmentBytes } = options;
    const { store } = await openedStore(new NodeDisk(logFolder()), { segmentBytes });
    await settled(store);
    await store.close();
    writeFileSync(join(logFolder(), raw), before);
    // A checkpoint near the end, so that no start reads the frames before it for any other reason.
    mkdirSync(join(folder.path, 'core/checkpoints'));
    writeFileSync(join(folder.path, 'core/checkpoints/00000000000000000899.ckpt'), '');
    expect(await logTroubles()).toEqual([]);
    flipBit(join(logFolder(), raw), 20_000 * 8);
    const [copy, ...more] = await logTroubles();
    expect(more).toEqual([]);
    expect(copy).toMatchObject({ check: 'copies', status: 'warning' });
    expect(copy?.evidence).toContain(`what its copy ${sealed} does`);
    rmSync(join(logFolder(), sealed));
    const [found] = await logTroubles();
    expect(found).toMatchObject({ check: 'log', status: 'damage' });
    expect(found?.evidence).toContain(`in segment ${raw}`);
  });

  it('finds damage in the frames behind the newest checkpoint, which a start verifies', async () => {
    const frames = await withLog();
    const hit = frames.find((each) => each.firstPosition > 20);
    await writeCheckpoint(snapshotAt(position(19)));
    flipBit(join(logFolder(), hit?.segment ?? ''), ((hit?.offset ?? 0) + 90) * 8);
    expect((await troubles()).map(({ check }) => check)).toEqual(['log']);
    await writeCheckpoint(snapshotAt(position(120)));
    expect(await troubles()).toEqual([]);
  });

  it('finds that the log ends before what a checkpoint knows to have been durable', async () => {
    const frames = await withLog();
    const head = frames.at(-1)?.lastPosition ?? 0;
    await writeCheckpoint(snapshotAt(position(head + 5)));
    const [found, ...others] = await troubles();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'log', status: 'damage' });
    expect(found?.evidence).toContain(`positions ${head + 1} to ${head + 5}`);
  });

  it('tells a segment of another format version from a damaged one', async () => {
    await withLog();
    overwrite(join(logFolder(), '00000000000000000001.seg'), 0, Buffer.from('ASG9'));
    const [found, ...others] = await troubles();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'format', status: 'fault' });
    expect(found?.advice).toContain('version of AllSource that wrote');
  });

  it('explains a torn tail and a missing marker, which are no faults', async () => {
    const frames = await withLog();
    rmSync(join(logFolder(), 'head'));
    const last = frames.at(-1);
    const path = join(logFolder(), last?.segment ?? '');
    const cut = (last?.offset ?? 0) + 100;
    overwrite(path, cut, Buffer.alloc(readFileSync(path).length - cut));
    expect(await troubles()).toEqual([]);
    expect(await evidenceOf('tail')).toContain('ends in a torn write of');
    expect(await evidenceOf('marker')).toContain('no readable file head');
  });

  it('reads the checkpoints, and names one with a flipped bit or that a start could not use', async () => {
    await withLog();
    expect(await evidenceOf('checkpoints')).toContain('There is no checkpoint');
    await writeCheckpoint(snapshotAt(position(7)));
    expect(await evidenceOf('checkpoints')).toBe('The checkpoint of position 7 is whole.');
    const path = join(folder.path, 'core/checkpoints/00000000000000000007.ckpt');
    // Inside the part, which a look at the two ends does not find.
    flipBit(path, readFileSync(path).indexOf('some part') * 8);
    const [found, ...others] = await troubles();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'checkpoints', status: 'warning' });
    expect(found?.evidence).toContain('00000000000000000007.ckpt: the part of keys/1');
    renameSync(path, `${path}.set-aside`);
    expect((await troubles())[0]?.evidence).toContain('an earlier start could not use it');
  });

  it('counts what starts of the past have set aside', async () => {
    await withLog();
    for (const [name, bytes] of [
      ['torn', 5],
      ['aside', 7],
    ] as const) {
      mkdirSync(join(logFolder(), name));
      writeFileSync(join(logFolder(), name, 'left'), 'x'.repeat(bytes));
    }
    expect(await evidenceOf('torn')).toContain('1 torn writes of past crashes (5 bytes)');
    const [found, ...others] = await troubles();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'aside', status: 'warning' });
    expect(found?.evidence).toContain('1 files of segments (7 bytes)');
  });

  it('says that the clock was set back', async () => {
    await withLog();
    const [found] = await troubles(folder.path, 1_600_000_000_000);
    expect(found).toMatchObject({ check: 'clock', status: 'warning' });
    expect(found?.evidence).toContain('2023-11-14');
  });
});

describe('the doctor of a machine', () => {
  it('says which Node is too old', () => {
    expect(nodeCheck('20.20.2').status).toBe('warning');
    expect(nodeCheck('22.15.0').status).toBe('ok');
    expect(nodeCheck('24.0.0').status).toBe('ok');
  });

  it('says how much space is left, and for how many days', () => {
    const dayAgo = Date.now() - 86_400_000;
    const fileOf = (fileBytes: number, first: number): InspectedFile => ({
      name: `${first}.seg`,
      firstPosition: position(first),
      fileBytes,
      headerFault: null,
      sealed: null,
      headerBytes: 4096,
      header: {
        logId: Buffer.alloc(8),
        partitionCount: 256,
        previousChecksum: 0,
        firstPosition: position(first),
        createdAt: micros(dayAgo * 1000),
      },
    });
    const filesOf = (...sizes: number[]) => ({
      files: sizes.map((bytes, index) => fileOf(bytes, index + 1)),
      strangers: [],
      copies: [],
      logId: null,
      partitionCount: 256,
      marker: null,
      durablePosition: 0,
    });
    const at = (...sizes: number[]) =>
      spaceCheck({ folder: folder.path, files: filesOf(...sizes), nowMs: Date.now() });
    expect(at(1024)).toMatchObject({ status: 'ok' });
    expect(at(1024, 1024).evidence).toContain('years at the present 0 MiB a day');
    expect(at(1.6 * 2 ** 20, 1024).evidence).toContain('at the present 1.6 MiB a day');
    const endless = 2 ** 60;
    expect(at(endless, 1024)).toMatchObject({ status: 'warning' });
    expect(at(endless, 1024).evidence).toContain('0.0 days at the present');
    expect(at(endless)).toMatchObject({ status: 'fault' });
    expect(at(endless).advice).toContain('507');
  });

  it('says when the running process may open too few files', async () => {
    const child = spawn('sh', ['-c', 'ulimit -n 500; exec sleep 60']);
    await once(child, 'spawn');
    const owner = { owner: 'core', pid: child.pid ?? 0 };
    try {
      let found = descriptorCheck(owner);
      // The shell needs a moment to lower its limit.
      for (let waitedMs = 0; found.status === 'ok' && waitedMs < 60_000; waitedMs += 10) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        found = descriptorCheck(owner);
      }
      expect(found).toMatchObject({ check: 'descriptors', status: 'warning' });
      expect(found.evidence).toContain('may have 500 files open');
    } finally {
      child.kill();
    }
  });
});
