import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RunningCommand, runCommand, until } from './command.ts';
import { StandInStore } from './stand-in-store.ts';

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

function eventLine(number: number, entity = `order-${number % 7}`): string {
  return `{"event_type":"order.changed","entity_id":"${entity}","payload":{"n":${number},"exact":[1.0,12345678901234567890]}}`;
}

function conditional(entity: string, version: number): string {
  return `{"event_type":"order.changed","entity_id":"${entity}","expected_version":${version},"payload":{}}`;
}

function eventLines(count: number): string[] {
  return Array.from({ length: count }, (_, i) => eventLine(i));
}

function writeLines(name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function run(args: readonly string[], input?: string | Buffer) {
  return runCommand(['import', ...args], {
    url,
    folder,
    ...(input === undefined ? {} : { input }),
  });
}

async function runJson(args: readonly string[], input?: string | Buffer) {
  const command = await run([...args, '--json'], input);
  return { ...command.records()[0], code: command.code, stderr: command.stderr };
}

describe('what is imported', () => {
  it('is the file, every event once, in order and byte for byte', async () => {
    const lines = eventLines(2500);
    const command = await run([writeLines('a.ndjson', lines)]);
    expect(command.code).toBe(0);
    expect(store.events.map((event) => event.text)).toEqual(lines);
    expect(command.stdout).toMatch(/lines read +2,500\n +appended +2,500\n/);
    expect(command.stderr).toBe('');
  });

  it('may be gzip, standard input, or gzip on standard input', async () => {
    const text = eventLines(30).join('\n');
    writeFileSync(join(folder, 'a.gz'), gzipSync(text));
    expect(await runJson([join(folder, 'a.gz')])).toMatchObject({ code: 0, events_appended: 30 });
    expect(await runJson(['-', '--import-id', 'b'], text)).toMatchObject({ events_appended: 30 });
    expect(await runJson(['-', '--import-id', 'c'], gzipSync(text))).toMatchObject({
      events_appended: 30,
    });
    expect(store.events).toHaveLength(90);
  });

  it('passes over blank lines, a byte order mark and carriage returns', async () => {
    const text = `\ufeff${eventLine(1)}\r\n\r\n   \n${eventLine(2)}`;
    writeFileSync(join(folder, 'a.ndjson'), text);
    expect(await runJson([join(folder, 'a.ndjson')])).toMatchObject({
      code: 0,
      lines_read: 4,
      blank_lines: 2,
      events_appended: 2,
    });
  });
});

describe('an import that is run again', () => {
  it('appends nothing twice, as a file, as its gzip and with a name', async () => {
    const lines = eventLines(250);
    const file = writeLines('a.ndjson', lines);
    await runJson([file, '--batch-size', '100']);
    const again = await runJson([file, '--batch-size', '100']);
    expect(again).toMatchObject({ code: 0, events_appended: 0, events_already_there: 250 });
    writeFileSync(join(folder, 'a.gz'), gzipSync(readFileSync(file)));
    const gzip = await runJson([join(folder, 'a.gz'), '--batch-size', '100']);
    expect(gzip).toMatchObject({ events_appended: 0, events_already_there: 250 });
    const input = await runJson(['-', '--batch-size', '100'], lines.join('\n'));
    expect(input).toMatchObject({ events_appended: 250 });
    const inputAgain = await runJson(['-', '--batch-size', '100'], lines.join('\n'));
    expect(inputAgain).toMatchObject({ events_appended: 0, events_already_there: 250 });
  });

  it('is cut as the first time, whatever batch size it is run with', async () => {
    const file = writeLines('a.ndjson', eventLines(250));
    await runJson([file, '--batch-size', '100']);
    const again = await runJson([file, '--batch-size', '60']);
    expect(again).toMatchObject({ code: 0, events_appended: 0, events_already_there: 250 });
    expect(again.stderr).toContain('begun with --batch-size 100');
  });

  it('goes on where a killed run has ended', async () => {
    const file = writeLines('a.ndjson', eventLines(1000));
    const killed = new RunningCommand(['import', file, '--batch-size', '50'], { url, folder });
    store.answers = () => {
      if (store.events.length === 500) killed.process.kill('SIGKILL');
      return store.events.length < 500;
    };
    await killed.ended;
    store.answers = () => true;
    const resumed = await runJson([file, '--batch-size', '50']);
    expect(resumed).toMatchObject({
      code: 0,
      events_appended: 1000 - 500,
      events_already_there: 500,
    });
    expect(store.events).toHaveLength(1000);
  });

  it('counts a batch whose answer was lost as appended, once', async () => {
    let lost = 0;
    store.answers = () => store.appends % 3 !== 2 || lost++ > 3;
    const file = writeLines('a.ndjson', eventLines(600));
    expect(await runJson([file, '--batch-size', '100'])).toMatchObject({
      code: 0,
      events_appended: 600,
      events_already_there: 0,
    });
    expect(store.events).toHaveLength(600);
    expect(lost).toBeGreaterThan(0);
  });

  it('never stores a line twice when the store would take today what it refused before', async () => {
    const file = writeLines('a.ndjson', eventLines(10));
    store.refuses = (text) => (text.includes('"n":4,') ? 'Not yet.' : null);
    await run([file]);
    store.refuses = () => null;
    const again = await run([file]);
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(/stored differently +10/);
    expect(store.events).toHaveLength(9);
  });
});

describe('an outage', () => {
  it('is bridged', async () => {
    const file = writeLines('a.ndjson', eventLines(300));
    let cuts = 0;
    store.accepts = () => store.events.length < 100 || cuts++ >= 3;
    const command = await run([file, '--batch-size', '50']);
    expect(command.code).toBe(0);
    expect(command.stderr).toContain('Trying again');
    expect(store.events).toHaveLength(300);
  });

  it('that lasts too long ends with code 6 and says how to go on', async () => {
    const file = writeLines('a.ndjson', eventLines(300));
    store.accepts = () => store.events.length < 100;
    const args = [file, '--batch-size', '50', '--retry-for', '300ms'];
    const command = await run(args);
    expect(command.code).toBe(6);
    expect(command.stderr).toContain('Run the same command again to continue');
    expect(command.stdout).toMatch(/Not finished: a\.ndjson\n[^]*appended +100/);
    store.accepts = () => true;
    expect(await runJson(args)).toMatchObject({
      code: 0,
      events_appended: 200,
      events_already_there: 100,
    });
  });

  it('is not waited out when Ctrl-C comes', async () => {
    store.accepts = () => false;
    const file = writeLines('a.ndjson', eventLines(3));
    const command = new RunningCommand(['import', file], { url, folder });
    await until(() => command.stderr.includes('Trying again'), 'the first retry');
    command.process.kill('SIGINT');
    expect(await command.ended).toBe(130);
    expect(command.stderr).toContain('Interrupted.');
  });
});

describe('lines that are refused', () => {
  it('are named with their reasons, all in the report file, and the rest is stored', async () => {
    const bad = [
      '{"event_type":"order.placed"',
      '[1,2]',
      '{"event_type":"Order.Placed","entity_id":"a","payload":{}}',
      '{"event_type":"order.placed","entity_id":"a"}',
      '{"event_type":"order.placed","entity_id":" a","payload":1}',
      '{"event_type":"order.placed","entity_id":"a","payload":1,"timestamp":"yesterday"}',
      '{"event_type":"order.placed","entity_id":"a","payload":"refuse me"}',
    ];
    const lines = bad.flatMap((line, i) => [eventLine(i), line]);
    const file = writeLines('a.ndjson', lines);
    store.refuses = (text) => (text.includes('refuse me') ? 'The schema says no.' : null);
    const command = await run([file, '--report', 'refused.ndjson']);
    expect(command.code).toBe(1);
    expect(command.stdout).toMatch(
      /lines read +14\n +appended +7\n +already there +0\n +refused +7/,
    );
    expect(command.stdout).toContain('line 14: The schema says no.\n');
    const report = readFileSync(join(folder, 'refused.ndjson'), 'utf8').trimEnd().split('\n');
    const entries = report.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.map((entry) => entry['line'])).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(entries.map((entry) => entry['text'])).toEqual(bad);
    expect(entries.map((entry) => entry['code'])).toEqual([
      'malformed_json',
      'invalid_body',
      'invalid_event_type',
      'invalid_body',
      'invalid_entity_id',
      'invalid_timestamp',
      'schema_violation',
    ]);
    expect(store.events).toHaveLength(7);
  });

  it('are shown up to twenty', async () => {
    const file = writeLines(
      'a.ndjson',
      Array.from({ length: 33 }, () => 'nonsense'),
    );
    const command = await run([file]);
    expect(command.stdout.match(/^ {2}line /gm)).toHaveLength(20);
    expect(command.stdout).toContain('and 13 more; --report FILE');
  });

  it('name the one event that expects another version, and no other', async () => {
    const lines = [
      eventLine(0, 'a'),
      conditional('a', 1),
      conditional('a', 7),
      conditional('b', 0),
    ];
    const command = await run([writeLines('a.ndjson', lines)]);
    expect(command.code).toBe(1);
    expect(command.stdout).toContain('line 3: The entity is at version 2, not at the expected 7.');
    expect(store.events).toHaveLength(3);
  });
});

it('cuts batches smaller when the store takes fewer events at a time', async () => {
  store.batchEventsMax = 30;
  const lines = eventLines(200);
  const file = writeLines('a.ndjson', lines);
  expect(await runJson([file])).toMatchObject({ code: 0, events_appended: 200 });
  expect(store.events.map((event) => event.text)).toEqual(lines);
  expect(await runJson([file])).toMatchObject({ code: 0, events_already_there: 200 });
});

describe('what cannot begin', () => {
  it('says why and with which code', async () => {
    const file = writeLines('a.ndjson', eventLines(1));
    expect(await run([join(folder, 'none')])).toMatchObject({ code: 1 });
    expect(await run([folder])).toMatchObject({ code: 1 });
    expect(await run([file, '--batch-size', 'many'])).toMatchObject({ code: 2 });
    expect(await run([])).toMatchObject({ code: 2 });
    writeFileSync(join(folder, 'cut.gz'), gzipSync(eventLines(1000).join('\n')).subarray(0, 900));
    const cut = await run([join(folder, 'cut.gz')]);
    expect(cut.code).toBe(1);
    expect(cut.stderr).toContain('gzip that ends too early');
    const environment = { ALLSOURCE_API_KEY: 'wrong' };
    const unknown = await runCommand(['import', file], { url, folder, environment });
    expect(unknown.code).toBe(5);
    expect(store.events).toHaveLength(0);
  });
});
