import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { problem } from '@allsource/shared/errors';
import { systemClock } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { Command } from '../../src/own-projections/lifecycle.ts';
import type { OwnProjection } from '../../src/own-projections/own-projections.ts';
import { type OwnReplayRecord, OwnReplays } from '../../src/own-projections/own-replays.ts';
import type { BuildStatus, ProjectionState } from '../../src/projections/projection-runtime.ts';
import { ReplayRecords } from '../../src/replay/replay-records.ts';
import { parseReplayWish } from '../../src/replay/replay-request.ts';

const NAME = { tenant: 'acme', name: 'orders' };
const WISH = parseReplayWish({ projection_name: NAME.name });

const eventsToFold = () => 40;
const onSetAside = (reason: string) => {
  throw new RangeError(reason);
};

/** One projection whose builds are what the test says. */
class OneProjection {
  isSettled = true;
  definition = {
    ...NAME,
    build: 1,
    earlier: [],
    pinned_build: null,
    wanted: 'running',
    event_types: [],
  } as unknown as ProjectionDefinition;
  builds: { readonly build: number; readonly status: BuildStatus; readonly position: number }[] = [
    { build: 1, status: 'live', position: 100 },
  ];

  find(): OwnProjection {
    if (!this.isSettled) throw problem('starting', 'The definitions are being read.');
    const live = this.builds.find(({ status }) => status === 'live');
    const state = { live_build: live?.build ?? null, stalled_reason: null, builds: this.builds };
    return { definition: this.definition, state: state as unknown as ProjectionState };
  }

  command(_name: object, command: Command): Promise<OwnProjection> {
    const changed = command(this.find());
    if (changed !== null) this.definition = { ...this.definition, ...changed };
    return Promise.resolve(this.find());
  }
}

describe('a replay of an own projection', () => {
  let folder: string;
  let own: OneProjection;
  let replays: OwnReplays;

  const open = () => {
    const records = new ReplayRecords<OwnReplayRecord>({
      file: join(folder, 'records.sqlite'),
      onSetAside,
    });
    replays = new OwnReplays({ own, records, clock: systemClock, eventsToFold, head: () => 100 });
  };
  const begin = () => replays.begin(NAME, WISH, 'somebody');
  const found = (id: string) => replays.one(NAME.tenant, id);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'allsource-own-replays-'));
    own = new OneProjection();
    open();
  });
  afterEach(() => {
    replays.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is found again after a restart: one that goes on, and then what became of it', async () => {
    const { id } = await begin();
    own.builds.push({ build: 2, status: 'building', position: 50 });
    expect(found(id)).toMatchObject({ status: 'running', processedEvents: 20, totalEvents: 40 });
    replays.close();
    own.isSettled = false;
    open();
    expect(found(id)).toMatchObject({ status: 'running', completedAt: null });
    own.isSettled = true;
    await expect(begin()).rejects.toMatchObject({ code: 'operation_running' });
    own.builds = [{ build: 2, status: 'live', position: 100 }];
    const ended = found(id);
    expect(ended).toMatchObject({ status: 'completed', processedEvents: 40 });
    expect(ended?.completedAt).not.toBeNull();
    await begin();
    own.builds = [];
    replays.close();
    open();
    expect(found(id)).toEqual(ended);
    expect(replays.ofTenant(NAME.tenant)).toHaveLength(2);
    expect(replays.ofTenant('other')).toEqual([]);
  });

  it('is cancelled by staying with the build that is read', async () => {
    const { id } = await begin();
    own.builds.push({ build: 2, status: 'building', position: 50 });
    const cancelled = await replays.cancel(NAME.tenant, id);
    expect(cancelled).toMatchObject({
      status: 'cancelled',
      message: expect.stringContaining('Build 1 is read on'),
    });
    expect(own.definition.pinned_build).toBe(1);
    own.builds[1] = { build: 2, status: 'ready', position: 100 };
    expect(found(id)).toEqual(cancelled);
    expect(await replays.cancel(NAME.tenant, id)).toBeNull();
    expect(await replays.cancel('other', id)).toBeNull();
  });

  it('is not cancelled where it makes the only build', async () => {
    own.builds = [{ build: 1, status: 'building', position: 5 }];
    const { id } = await begin();
    await expect(replays.cancel(NAME.tenant, id)).rejects.toMatchObject({ code: 'wrong_status' });
    expect(found(id)?.status).toBe('running');
  });
});
