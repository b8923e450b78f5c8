import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RunningCommand, runCommand, until } from './command.ts';
import { StandInStore, TEST_KEY } from './stand-in-store.ts';

let store: StandInStore;
let url: string;
let folder: string;

beforeEach(async () => {
  store = new StandInStore();
  url = await store.start();
  folder = mkdtempSync(join(tmpdir(), 'allsource-cli-'));
});
afterEach(async () => {
  await store.stop();
  rmSync(folder, { recursive: true, force: true });
});

function eventText(number: number, type = 'order.changed'): string {
  return `{"event_type":"${type}","entity_id":"order-1","payload":{"n":${number},"exact":1.0}}`;
}

function numbersOf(command: RunningCommand): unknown[] {
  return command.records().map((record) => (record['payload'] as { n: number }).n);
}

describe('allsource tail', () => {
  it('prints what is appended from now on, each event once, across cut connections', async () => {
    store.append([eventText(-1)]);
    const command = new RunningCommand(['tail', '--count', '40'], { url, folder });
    await until(() => store.streamCount === 1, 'the stream');
    for (let n = 0; n < 40; n++) {
      store.append([eventText(n)]);
      if (n % 10 === 5) {
        store.cutStreams();
        await until(() => store.streamCount === 1, 'the stream again');
      }
    }
    expect(await command.ended).toBe(0);
    expect(numbersOf(command)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(command.records()[0]).toMatchObject({ position: 2 });
    expect(command.stdout).toContain('"exact":1.0');
  });

  it('loses nothing that was appended while it was cut off before its first event', async () => {
    const command = new RunningCommand(['tail', '--count', '1'], { url, folder });
    await until(() => store.streamCount === 1, 'the stream');
    await store.stop();
    store.append([eventText(1)]);
    await store.start();
    expect(await command.ended).toBe(0);
    expect(numbersOf(command)).toEqual([1]);
  });

  it('starts where it is told to, and keeps to a type', async () => {
    store.append([eventText(1), eventText(2, 'other.thing'), eventText(3)]);
    const all = await runCommand(['tail', '--from-start', '--count', '3'], { url, folder });
    expect(numbersOf(all)).toEqual([1, 2, 3]);
    const later = await runCommand(['tail', '--from', '2', '--count', '2'], { url, folder });
    expect(numbersOf(later)).toEqual([2, 3]);
    const typed = ['tail', '--from-start', '--type', 'order.*', '--count', '2'];
    expect(numbersOf(await runCommand(typed, { url, folder }))).toEqual([1, 3]);
  });

  it('ends with 6 when the store stays away, with 5 without a key, with 2 when told two starts', async () => {
    await store.stop();
    const away = await runCommand(['tail', '--retry-for', '300ms'], { url, folder });
    expect(away.code).toBe(6);
    await store.start();
    const environment = { ALLSOURCE_API_KEY: 'wrong' };
    expect(await runCommand(['tail'], { url, folder, environment })).toMatchObject({ code: 5 });
    const both = ['tail', '--from', '1', '--from-start'];
    expect(await runCommand(both, { url, folder })).toMatchObject({ code: 2 });
  });

  it('is refused for a star that the stream knows nothing of', async () => {
    for (const type of ['ord*', 'order.*.x']) {
      const refused = await runCommand(['tail', '--type', type], { url, folder });
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain('a prefix that ends with .* such as order.*');
    }
  });
});

describe('allsource get', () => {
  it('prints the history in the order of the versions, byte for byte, over several pages', async () => {
    const texts = Array.from({ length: 2300 }, (_, n) => eventText(n));
    store.append(texts);
    store.append([
      '{"event_type":"order.changed","entity_id":"order-1","timestamp":"2020-01-01T00:00:00.000Z","payload":{"n":2300}}',
    ]);
    const command = await runCommand(['get', 'order-1'], { url, folder });
    expect(command.code).toBe(0);
    expect(numbersOf(command)).toEqual(Array.from({ length: 2301 }, (_, n) => n));
    expect(command.stdout).toContain('"payload":{"n":7,"exact":1.0}');
    const few = await runCommand(['get', 'order-1', '--limit', '2', '--output', 'table'], {
      url,
      folder,
    });
    expect(few.stdout).toMatch(/^VERSION +TIMESTAMP +TYPE +PAYLOAD\n1 .*\n2 .*\n$/);
  });

  it('prints the folded state', async () => {
    store.append([eventText(1)]);
    const command = await runCommand(['get', 'order-1', '--state'], { url, folder });
    expect(command.records()[0]).toMatchObject({ entity_id: 'order-1', event_count: 1 });
  });

  it('ends with 3 for an entity without events', async () => {
    const command = await runCommand(['get', 'nobody'], { url, folder });
    expect(command).toMatchObject({ code: 3, stdout: '' });
    expect(command.stderr).toContain("'nobody' has no events");
    expect(await runCommand(['get', 'nobody', '--state'], { url, folder })).toMatchObject({
      code: 3,
    });
  });
});

const node = (id: string, status: string) => ({
  id,
  type: 'event-store',
  status,
  url: `http://${id}`,
  stats: { position: 1234, lag_events: 0, uptime_seconds: 60 },
});
const cluster = (healthy: boolean) => ({
  healthy,
  nodes: [node('core', 'healthy'), node('query', healthy ? 'healthy' : 'unreachable')],
  event_count: 65_533,
  stream_count: 7_554,
  storage_bytes: 3_000_000,
  uptime_seconds: 60,
});

describe('allsource status', () => {
  it('shows the services, their positions and the totals', async () => {
    store.cluster = cluster(true);
    const command = await runCommand(['status'], { url, folder });
    expect(command.code).toBe(0);
    expect(command.stdout).toMatch(/core +healthy +1,234 +0 +60 s +http:\/\/core/);
    expect(command.stdout).toMatch(/events +65,533/);
    const json = await runCommand(['status', '--json'], { url, folder });
    expect(json.records()[0]).toMatchObject({ cluster: { event_count: 65_533 } });
  });

  it('ends with 6 when a service is down or the gateway does not answer', async () => {
    store.cluster = cluster(false);
    expect(await runCommand(['status'], { url, folder })).toMatchObject({ code: 6 });
    await store.stop();
    expect(await runCommand(['status'], { url, folder })).toMatchObject({ code: 6 });
    await store.start();
  });

  it('still shows the gateway, and ends with 5, without a key that may see the cluster', async () => {
    const environment = { ALLSOURCE_API_KEY: 'wrong' };
    const command = await runCommand(['status'], { url, folder, environment });
    expect(command.code).toBe(5);
    expect(command.stdout).toContain('stand-in');
  });
});

describe('the key', () => {
  it('is that of the data folder when no other is given, for a store on this machine', async () => {
    store.append([eventText(1)]);
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data', 'api-key'), `${TEST_KEY}\n`);
    const environment = { ALLSOURCE_API_KEY: '' };
    const command = await runCommand(['get', 'order-1'], { url, folder, environment });
    expect(command.code).toBe(0);
  });
});

describe('the command line', () => {
  it('ends with 2 for what it does not know, and with 0 for --help and --version', async () => {
    for (const args of [
      ['fly'],
      ['get'],
      ['status', '--outptu', 'json'],
      ['status', '--output', 'xml'],
      ['status', '--url', 'ftp://x'],
    ])
      expect(await runCommand(args, { url, folder })).toMatchObject({ code: 2, stdout: '' });
    expect(await runCommand(['--help'], { url, folder })).toMatchObject({ code: 0 });
    expect(await runCommand(['--version'], { url, folder })).toMatchObject({ code: 0 });
  });
});
