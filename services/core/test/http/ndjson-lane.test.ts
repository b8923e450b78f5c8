/** The NDJSON lane over real sockets: what is acknowledged, what is refused, and who waits for whom. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { problem } from '@allsource/shared/errors';
import { SeededRandom } from '@allsource/testkit';
import { LineCutter } from '../../src/append/line-cutter.ts';
import type { EventGroup } from '../../src/append/event-group.ts';
import { GroupStream } from '../../src/http/group-stream.ts';
import { eventLine, eventLines, LaneWorld, type LaneWorldOptions } from '../support/lane-world.ts';

let world: LaneWorld | null = null;

async function start(options: LaneWorldOptions = {}): Promise<LaneWorld> {
  world = await LaneWorld.start(options);
  return world;
}

afterEach(async () => {
  await world?.close();
  world = null;
});

const expecting = (version: number) => eventLine('a', 1, `,"expected_version":${version}`);
const path = (query: string) => `/api/v1/events/batch?${query}`;

describe.each([
  ['on the kernel', true],
  ['in TypeScript', false],
])('lines of events, %s', (_, withKernel) => {
  it('are stored in order, group by group, and each group is acknowledged with its lines and positions', async () => {
    const { send, stored } = bound(await start({ withKernel }));
    const { status, lines } = await send(eventLines(7), { path: path('group_lines=3') });
    expect(status).toBe(200);
    expect(lines).toEqual([
      group({ group: 1, lines: [1, 3], events: 3, positions: [1, 3] }),
      group({ group: 2, lines: [4, 6], events: 3, positions: [4, 6] }),
      group({ group: 3, lines: [7, 7], events: 1, positions: [7, 7] }),
      {
        kind: 'summary',
        lines: 7,
        events: 7,
        groups: 3,
        replayed_groups: 0,
        first_position: 1,
        last_position: 7,
      },
    ]);
    expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `e-${i} ${i}`));
  });

  it('may be blank, end with CRLF, and lack the last line feed', async () => {
    const { send, stored } = bound(await start({ withKernel }));
    const body = `\n \t\r\n${eventLine('a', 1)}\r\n\n${eventLine('b', '{"x" : "\\u00e9"}')}`;
    const { lines } = await send(body);
    expect(lines).toMatchObject([
      { first_line: 1, last_line: 5, events: 2 },
      { kind: 'summary', lines: 5, events: 2, groups: 1 },
    ]);
    expect(await stored()).toEqual(['a 1', 'b {"x" : "\\u00e9"}']);
  });

  it('that are none give a summary of nothing', async () => {
    const { send } = bound(await start({ withKernel }));
    const nothing = { kind: 'summary', events: 0, groups: 0, first_position: null };
    expect((await send('')).lines).toMatchObject([{ ...nothing, lines: 0 }]);
    expect((await send('\n\n')).lines).toMatchObject([{ ...nothing, lines: 2 }]);
  });

  it('stop at a bad one: what was acknowledged stays, nothing of its group is stored', async () => {
    const { send, stored } = bound(await start({ withKernel }));
    const body = eventLines(3) + eventLines(1, 3) + '\n{"event_type":"A"}\n' + eventLines(2, 4);
    const { status, lines } = await send(body, { path: path('group_lines=3') });
    expect(status).toBe(200);
    expect(lines).toMatchObject([
      { kind: 'group', last_line: 3 },
      {
        kind: 'problem',
        code: 'invalid_event_type',
        line: 6,
        pointer: '/event_type',
        status: 400,
        durable_lines: 3,
        durable_events: 3,
        durable_groups: 1,
      },
    ]);
    expect(await stored()).toHaveLength(3);
  });

  it('are refused with a status when nothing was acknowledged before', async () => {
    const { send, stored } = bound(await start({ withKernel, payloadBytesMax: 100 }));
    const cases: [string | Uint8Array, object][] = [
      [`${eventLine('a')}\nnot json\n`, { code: 'malformed_json', line: 2, offset: 0 }],
      [`${eventLine('a')}\n${eventLine('b')} 1\n`, { code: 'malformed_json', line: 2 }],
      [`${eventLine('a')}\n[${eventLine('b')}]`, { code: 'invalid_body', line: 2, pointer: '' }],
      [`${eventLine('a').replace(',', ',\n')}\n`, { code: 'malformed_json', line: 1 }],
      [`\ufeff${eventLine('a')}\n`, { code: 'malformed_json', line: 1 }],
      [`${eventLine('a', '[]', ',"tenant_id":"x"')}\n${eventLine('b')}\n`, { line: 2 }],
      [Buffer.from(`${eventLine('a')}\n"\xff"\n`, 'latin1'), { code: 'malformed_json', line: 2 }],
      [eventLine('a', `"${'x'.repeat(200)}"`), { code: 'payload_too_large', line: 1 }],
      [`${eventLine('a')}\n${' '.repeat(200_000)}`, { code: 'line_too_large', line: 2 }],
    ];
    for (const [body, facts] of cases) {
      const { status, text } = await send(body);
      expect(JSON.parse(text)).toMatchObject({ ...facts, status });
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect((await send(`\ufeff${eventLine('a')}`)).text).toContain('byte order mark');
    expect(await stored()).toEqual([]);
  });

  it('that expect another version stop the stream at their line', async () => {
    const { send, stored } = bound(await start({ withKernel }));
    const body = `${expecting(0)}\n${expecting(1)}\n\n${expecting(2)}\n${expecting(2)}\n`;
    const { lines } = await send(body, { path: path('group_lines=2') });
    expect(lines).toMatchObject([
      { kind: 'group', events: 2 },
      { kind: 'group', first_line: 3, last_line: 4, events: 1 },
      { code: 'version_conflict', line: 5, current_version: 3, expected_version: 2, status: 409 },
    ]);
    const { text } = await send(`${expecting(3)}\n${eventLine('b')}\n${expecting(7)}\n`);
    expect(JSON.parse(text)).toMatchObject({ error: 'version_conflict', current_version: 4 });
    expect(await stored()).toHaveLength(3);
  });

  it('sent again with their key get the first answers, and only the rest is appended', async () => {
    const { send, stored } = bound(await start({ withKernel }));
    const again = { path: path('group_lines=2'), headers: { 'idempotency-key': 'import-1' } };
    await send(eventLines(4), again);
    const { lines } = await send(eventLines(5), again);
    expect(lines).toMatchObject([
      { group: 1, first_position: 1, replayed: true },
      { group: 2, first_position: 3, replayed: true },
      { group: 3, first_position: 5 },
      { kind: 'summary', events: 5, groups: 3, replayed_groups: 2, last_position: 5 },
    ]);
    expect(lines[2].replayed).toBeUndefined();
    const other = await send(eventLines(2) + eventLines(2, 50), again);
    expect(other.lines).toMatchObject([
      { group: 1, replayed: true },
      { code: 'idempotency_key_reused', durable_lines: 2 },
    ]);
    expect(await stored()).toHaveLength(5);
  });
});

describe('a stream of lines', () => {
  it('is acknowledged while it is being sent', async () => {
    const client = (await start()).client({ path: path('group_lines=1') });
    for (let i = 1; i <= 3; i++) {
      await client.write(`${eventLine('a', i)}\n`);
      await client.until(i);
      expect(client.lines).toHaveLength(i);
    }
    await client.end();
    expect(client.lines.at(-1)).toMatchObject({ kind: 'summary', events: 3 });
  });

  it('is not read further than one group while the disk stands still, and goes on when it moves', async () => {
    const here = await start();
    const release = here.holdDisk();
    const client = here.client();
    let written = 0;
    const chunk = eventLines(1000);
    // Sockets and Node keep a few MB; beyond them nothing may be taken.
    while (written < 64 * 1024 * 1024 && (await offered(client, chunk))) written += chunk.length;
    expect(written).toBeLessThan(32 * 1024 * 1024);
    expect(here.journal.head).toBe(0);
    release();
    await client.end();
    const events = (written / chunk.length + 1) * 1000;
    expect(client.lines.at(-1)).toMatchObject({ kind: 'summary', events });
  });

  it('waits for a client that does not read its acknowledgements', async () => {
    const here = await start();
    let pulled = 0;
    async function* groups(): AsyncGenerator<EventGroup> {
      for (; pulled < 100; pulled++) yield await Promise.resolve(oneEvent(pulled + 1));
    }
    // Sockets keep megabytes of short lines; this answer keeps two.
    const answer = new PassThrough({ highWaterMark: 256 });
    const response = Object.assign(answer, { writeHead: () => {}, headersSent: false });
    const stream = new GroupStream({
      ...here.parts(),
      request: new PassThrough() as unknown as IncomingMessage,
      response: response as unknown as ServerResponse,
      groups: groups(),
      unit: 'row',
      tenantOf: () => 'acme',
      requireOpen: () => {},
      key: null,
    });
    const done = stream.run();
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(pulled).toBeLessThan(10);
    expect(here.journal.head).toBeLessThan(10);
    answer.resume();
    await done;
    expect(here.journal.head).toBe(100);
  });

  it('whose client goes away leaves its acknowledged groups, drops the rest, and says so in the log', async () => {
    const here = await start();
    const client = here.client({ path: path('group_lines=2') });
    await client.write(eventLines(3));
    await client.until(1);
    client.abandon();
    while (here.logged.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(here.logged).toEqual([expect.stringContaining('has gone')]);
    expect(await here.stored()).toHaveLength(2);
  });

  it('ends with a problem when the disk is full, when core stops, and when its key is revoked', async () => {
    const here = await start();
    const failures: [string, () => void, () => void][] = [
      [
        'storage_full',
        () => here.store.outcomes.push({ kind: 'full', cause: new TypeError('no space') }),
        () => {},
      ],
      [
        'shutting_down',
        () => {
          here.closed = problem('shutting_down', 'Core stops.');
        },
        () => {
          here.closed = null;
        },
      ],
      [
        'unauthenticated',
        () => {
          here.isKeyGood = false;
        },
        () => {
          here.isKeyGood = true;
        },
      ],
    ];
    for (const [code, fail, mend] of failures) {
      const client = here.client({ path: path('group_lines=1') });
      await client.write(`${eventLine('a')}\n`);
      await client.until(1);
      fail();
      await client.end(`${eventLine('a')}\n${eventLine('a')}\n`);
      expect(client.lines).toMatchObject([{ kind: 'group' }, { kind: 'problem', code }]);
      mend();
    }
    expect(await here.stored()).toHaveLength(3);
  });

  it('that stands still is given up', async () => {
    const client = (await start({ silenceMs: 50 })).client({ path: path('group_lines=1') });
    await client.write(`${eventLine('a')}\n{"event`);
    await client.over();
    expect(client.lines).toMatchObject([{ kind: 'group' }, { code: 'stream_silent' }]);
  });

  it('is refused when it is compressed, its key is too long, or its group size is out of bounds', async () => {
    const { send } = bound(await start());
    const body = eventLines(1);
    expect((await send(body, { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
    const long = { 'idempotency-key': 'k'.repeat(240) };
    expect((await send(body, { headers: long })).status).toBe(400);
    for (const lines of ['0', '1001', 'x'])
      expect((await send(body, { path: path(`group_lines=${lines}`) })).status).toBe(400);
  });
});

it('lines are cut into the same groups however the bytes arrive', () => {
  const seed = Date.now() % 1_000_000;
  const random = new SeededRandom(seed);
  const limits = { linesMax: 5, bytesMax: 300, lineBytesMax: 1000 };
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: random.below(40) }, () =>
      'x'.repeat(random.below(10) === 0 ? 250 + random.below(200) : random.below(90)),
    ).join('\n');
    const bytes = Buffer.from(random.below(2) === 0 ? text : `${text}\n`);
    const whole = cut([bytes], limits);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random.below(random.below(4) === 0 ? 400 : 20);
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect([seed, cut(chunks, limits)]).toEqual([seed, whole]);
    expect(whole.map(({ text: part }) => part).join('')).toBe(bytes.toString());
    for (const one of whole) {
      expect(one.feeds).toBe(one.text.split('\n').length - 1);
      expect(one.lines).toBeLessThanOrEqual(5);
      expect(one.lines === 1 || one.text.length <= 300).toBe(true);
    }
  }
});

function oneEvent(row: number): EventGroup {
  const payload = Buffer.from('1');
  const event = { type: 'a', entity: 'e', payload, metadata: null };
  const events = [{ ...event, timestamp: null, expectedVersion: null }];
  return {
    first: row,
    last: row,
    read: () => ({ tenant: null, eventCount: 1, events }),
    placeOf: () => row,
    digest: () => Buffer.alloc(16),
  };
}

function cut(chunks: readonly Buffer[], limits: ConstructorParameters<typeof LineCutter>[0]) {
  const cutter = new LineCutter(limits);
  const groups = [...chunks.flatMap((chunk) => [...cutter.push(chunk)]), ...cutter.end()];
  return groups.map(({ parts, lineFeeds, firstLine, lastLine }) => ({
    text: Buffer.concat(parts).toString(),
    feeds: lineFeeds,
    firstLine,
    lines: lastLine - firstLine + 1,
  }));
}

function bound(here: LaneWorld) {
  return { send: here.send.bind(here), stored: here.stored.bind(here) };
}

/** Writes a chunk; false when it does not leave within a moment. */
async function offered(client: ReturnType<LaneWorld['client']>, chunk: string): Promise<boolean> {
  const moment = new Promise<false>((resolve) => setTimeout(() => resolve(false), 300));
  return Promise.race([client.write(chunk).then(() => true), moment]);
}

function group(of: {
  readonly group: number;
  readonly lines: readonly [number, number];
  readonly events: number;
  readonly positions: readonly [number, number];
}) {
  return {
    kind: 'group',
    group: of.group,
    first_line: of.lines[0],
    last_line: of.lines[1],
    events: of.events,
    first_position: of.positions[0],
    last_position: of.positions[1],
  };
}
