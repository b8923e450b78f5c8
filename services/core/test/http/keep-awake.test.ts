/** The processors are kept awake while a client sends each append soon after the answer to the one before, unless core was told otherwise. With the system's own file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { accessRefusal, hasOpen, RawConnection, reportNotTested } from '@allsource/testkit';
import { CoreWorld, KEY } from '../support/core-world.ts';

const DEVICE = '/dev/cpu_dma_latency';
const APPENDS_MAX = 2_000;

const refusal = accessRefusal(DEVICE);
if (refusal !== null) reportNotTested('core that keeps the processors awake', refusal);
const suite = refusal === null ? describe : describe.skip;

let core: CoreWorld | null = null;

afterEach(async () => {
  await core?.remove();
  core = null;
});

/** Sends appends, each behind the answer to the one before, until the processors are kept awake or it was enough. */
async function appendUntilAwake(url: string, appendsMax: number): Promise<void> {
  const body = '{"event_type":"lane.sent","entity_id":"one","payload":{}}';
  const request = [
    'POST /api/v1/events HTTP/1.1',
    'host: core',
    `authorization: Bearer ${KEY}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
  const connection = await RawConnection.open(url);
  for (let sent = 0; sent < appendsMax && !hasOpen(DEVICE); sent++) {
    connection.send(request);
    expect((await connection.answer()).status).toBe(200);
  }
  connection.socket.destroy();
}

suite('core', () => {
  it('keeps the processors awake for a client that waits for each answer, and lets them sleep when it has left', async () => {
    core = await CoreWorld.start({ ALLSOURCE_BUSY_POLL_MICROS: '10000' });
    expect(hasOpen(DEVICE)).toBe(false);
    await appendUntilAwake(core.url, APPENDS_MAX);
    expect(hasOpen(DEVICE)).toBe(true);
    while (hasOpen(DEVICE)) await sleep(10);
  });

  it('lets them sleep when it stops', async () => {
    core = await CoreWorld.start({ ALLSOURCE_BUSY_POLL_MICROS: '10000' });
    await appendUntilAwake(core.url, APPENDS_MAX);
    expect(hasOpen(DEVICE)).toBe(true);
    await core.remove();
    core = null;
    expect(hasOpen(DEVICE)).toBe(false);
  });

  it('lets them sleep where it was told to', async () => {
    core = await CoreWorld.start({
      ALLSOURCE_KEEP_AWAKE: 'false',
      ALLSOURCE_BUSY_POLL_MICROS: '10000',
    });
    await appendUntilAwake(core.url, 50);
    expect(hasOpen(DEVICE)).toBe(false);
  });
});
