/** The processors are kept awake while a client sends each read soon after the answer to the one before, unless the service was told otherwise. With the system's own file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { accessRefusal, hasOpen, RawConnection, reportNotTested } from '@allsource/testkit';
import { ACME, type GatewayWorld, gatewayWorld } from '../gateway/gateway-world.ts';

const DEVICE = '/dev/cpu_dma_latency';
const READS_MAX = 2_000;
/** Long enough for any client to send the next read. */
const POLL = { ALLSOURCE_BUSY_POLL_MICROS: '10000' };

const refusal = accessRefusal(DEVICE);
if (refusal !== null) reportNotTested('a gateway that keeps the processors awake', refusal);
const suite = refusal === null ? describe : describe.skip;

let world: GatewayWorld | null = null;

afterEach(async () => {
  await world?.close();
  world = null;
});

/** Sends reads, each behind the answer to the one before, until the processors are kept awake or it was enough. */
async function readUntilAwake(url: string, readsMax: number): Promise<void> {
  const request = `GET /api/v1/events/query?limit=1 HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${ACME}\r\n\r\n`;
  const connection = await RawConnection.open(url);
  for (let sent = 0; sent < readsMax && !hasOpen(DEVICE); sent++)
    expect((await connection.ask(request)).status).toBe(200);
  connection.socket.destroy();
}

suite('the gateway', () => {
  it('keeps the processors awake for a client that waits for each answer, and lets them sleep when it has left', async () => {
    world = await gatewayWorld(POLL);
    expect(hasOpen(DEVICE)).toBe(false);
    await readUntilAwake(world.url, READS_MAX);
    expect(hasOpen(DEVICE)).toBe(true);
    while (hasOpen(DEVICE)) await sleep(10);
  });

  it('lets them sleep when it stops', async () => {
    world = await gatewayWorld(POLL);
    await readUntilAwake(world.url, READS_MAX);
    expect(hasOpen(DEVICE)).toBe(true);
    await world.close();
    world = null;
    expect(hasOpen(DEVICE)).toBe(false);
  });

  it('lets them sleep where it was told to', async () => {
    world = await gatewayWorld({ ...POLL, ALLSOURCE_KEEP_AWAKE: 'false' });
    await readUntilAwake(world.url, 50);
    expect(hasOpen(DEVICE)).toBe(false);
  });
});
