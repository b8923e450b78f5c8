import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { text } from 'node:stream/consumers';
import { position } from '@allsource/shared/model';
import { VerificationRuns } from '../../src/verify/verification-runs.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';
import { writeSampleLog } from './damaged-log.ts';

const head = () => position(120);

let folder: TemporaryFolder;
let runs: VerificationRuns;

beforeEach(() => {
  folder = temporaryFolder();
  runs = new VerificationRuns({ folder: folder.path, head });
});
afterEach(() => {
  runs.close();
  folder.remove();
});

describe('a verification of the log of a running core', () => {
  it('is the only one until it has ended', async () => {
    await writeSampleLog(folder.path);
    const first = runs.start();
    expect(() => runs.start()).toThrow('A verification runs already');
    expect(await text(first.lines)).toContain('"summary"');
    await first.ended;
    const second = runs.start();
    second.lines.resume();
    await second.ended;
  });

  it('makes room for another one when it is stopped', async () => {
    const first = runs.start();
    first.stop();
    expect(() => runs.start()).toThrow('A verification runs already');
    await first.ended;
    expect(() => runs.start()).not.toThrow();
  });

  it('is not available where the log is not in files', () => {
    const inMemory = new VerificationRuns({ folder: null, head });
    expect(() => inMemory.start()).toThrow('there are no files to verify');
  });
});
