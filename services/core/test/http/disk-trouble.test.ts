/** What a full disk and a failed sync look like from outside: in the answer, in readyz, in the metrics and in the log of core. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Logger } from '@allsource/service-kit/observability';
import { answerOf, Cleanups } from '@allsource/testkit';
import { readCoreConfig } from '../../src/config/core-config.ts';
import { openLogStore } from '../../src/open-log-store.ts';
import { SampleFrames } from '../log/sample-frames.ts';
import { CoreWorld, KEY } from '../support/core-world.ts';

const EVENT = { event_type: 'order.placed', entity_id: 'order-1', payload: { total: 42 } };
const cleanups = new Cleanups();

afterEach(async () => {
  jest.restoreAllMocks();
  await cleanups.run();
});

function config() {
  const folder = fs.mkdtempSync(join(tmpdir(), 'allsource-core-'));
  cleanups.add(() => fs.rmSync(folder, { recursive: true, force: true }));
  return readCoreConfig({
    ALLSOURCE_DATA_DIR: folder,
    CORE_PORT: '0',
    ALLSOURCE_BOOTSTRAP_API_KEY: KEY,
    ALLSOURCE_LOG_LEVEL: 'silent',
    ALLSOURCE_SEGMENT_BYTES: String(1024 * 1024),
  });
}

async function startedCore(): Promise<CoreWorld> {
  const core = await CoreWorld.start();
  cleanups.add(() => core.remove());
  return core;
}

async function append(core: CoreWorld) {
  const response = await fetch(`${core.url}/api/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(EVENT),
  });
  const retryAfter = response.headers.get('retry-after');
  return { ...(await answerOf(response)), retryAfter };
}

async function text(core: CoreWorld, path: string): Promise<string> {
  const response = await fetch(core.url + path, { headers: { authorization: `Bearer ${KEY}` } });
  return response.text();
}

async function history(core: CoreWorld): Promise<number> {
  const page = await text(core, '/api/v1/events/query?entity_id=order-1');
  return (JSON.parse(page) as { events: unknown[] }).events.length;
}

function osError(code: string): Error {
  return Object.assign(new RangeError(`${code}: not this time`), { code });
}

/** The next write finds no space. */
function failNextWrite(): void {
  jest.spyOn(fs, 'writevSync').mockImplementationOnce(() => {
    throw osError('ENOSPC');
  });
}

/** Every sync fails until the mocks are restored. */
function failSyncs(): void {
  jest.spyOn(fs, 'fdatasyncSync').mockImplementation(() => {
    throw osError('EIO');
  });
  jest.spyOn(fs, 'fdatasync').mockImplementation((_, done) => done(osError('EIO')));
}

describe('a full disk', () => {
  it('shows in the answer, in readyz and in the metrics, until there is space again', async () => {
    const core = await startedCore();
    expect((await append(core)).status).toBe(200);
    expect(await text(core, '/metrics')).toContain('\nallsource_storage_full 0\n');
    failNextWrite();
    const refused = await append(core);
    expect(refused.status).toBe(507);
    expect(refused.body).toMatchObject({ code: 'storage_full', retryable: true });
    expect(refused.body.error).toContain('Free some space and send it again');
    const ready = await fetch(`${core.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('the disk is full');
    expect(await text(core, '/metrics')).toContain('\nallsource_storage_full 1\n');
    expect(await history(core)).toBe(1);

    expect((await append(core)).status).toBe(200);
    expect((await fetch(`${core.url}/readyz`)).status).toBe(200);
    expect(await text(core, '/metrics')).toContain('\nallsource_storage_full 0\n');
    expect(await history(core)).toBe(2);
  });
});

describe('a failed sync', () => {
  it('shows in the answer, in readyz and in the metrics for good, and reads go on', async () => {
    const core = await startedCore();
    expect((await append(core)).status).toBe(200);
    expect(await text(core, '/metrics')).toContain('\nallsource_writer_poisoned 0\n');
    failSyncs();
    const refused = await append(core);
    jest.restoreAllMocks();
    const later = await append(core);
    for (const answer of [refused, later]) {
      expect(answer.status).toBe(503);
      expect(answer.body).toMatchObject({ code: 'writer_poisoned', retryable: false });
      expect(answer.retryAfter).toBeNull();
      expect(answer.body.error).toContain('the same Idempotency-Key');
    }
    expect(refused.body.error).toContain('It is not known whether this append was stored');
    expect(later.body.error).toContain('Nothing of this request was stored');
    const ready = await fetch(`${core.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('the writer has stopped after a disk error');
    expect((await fetch(`${core.url}/livez`)).status).toBe(200);
    expect(await text(core, '/metrics')).toContain('\nallsource_writer_poisoned 1\n');
    expect(await history(core)).toBe(1);
  });
});

describe('the log of core', () => {
  it('says once when the disk is full, when there is space again, and when the writer has stopped', async () => {
    const lines: string[] = [];
    const line = (level: string) => (first: unknown, message?: string) =>
      lines.push(`${level}: ${message ?? String(first)}`);
    const logger = { info: line('info'), warn: line('warn'), error: line('error') };
    const { store } = openLogStore(config(), logger as unknown as Logger);
    const frames = new SampleFrames(await store.open()).take(3);
    for (let i = 0; i < 2; i++) {
      failNextWrite();
      expect((await store.append(frames.slice(0, 1))).kind).toBe('full');
      jest.restoreAllMocks();
    }
    expect((await store.append(frames.slice(0, 1))).kind).toBe('appended');
    failSyncs();
    expect((await store.append(frames.slice(1, 2))).kind).toBe('failed');
    jest.restoreAllMocks();
    expect((await store.append(frames.slice(1, 2))).kind).toBe('failed');
    await store.close();
    expect(lines).toEqual([
      expect.stringMatching(/^error: the disk is full/),
      expect.stringMatching(/^info: there is space again/),
      expect.stringMatching(/^error: the writer has stopped/),
    ]);
  });
});
