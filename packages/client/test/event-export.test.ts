/** Exports over streams that are cut anywhere: the whole is what the store held at one position, each event once. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AllSourceClient } from '../src/tools/allsource-client.ts';
import { type ExportedLines, type ExportFilter, readLines } from '../src/tools/event-export.ts';

const lineOf = (position: number) =>
  `{"id":"${position}","payload":{"position":${position + 7000}, "text":"é"},"position":${position}}\n`;

let server: Server;
let url: string;
/** Events at the even positions up to here. */
let head = 0;
let requests: URLSearchParams[] = [];
/** Bytes of a body after which an answer is cut; null: it is whole. */
let cutAfter: (request: number) => number | null = () => null;
let changeHeaders: (headers: Record<string, string>) => void = () => {};
let lostLines = 0;

beforeEach(async () => {
  head = 400;
  requests = [];
  cutAfter = () => null;
  changeHeaders = () => {};
  lostLines = 0;
  server = createServer((request, response) => {
    const parameters = new URL(request.url ?? '', 'http://store').searchParams;
    requests.push(parameters);
    answer(parameters, response);
    // The store moves on between the requests of an export.
    head += 50;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

function answer(parameters: URLSearchParams, response: ServerResponse): void {
  const from = Number(parameters.get('from_position'));
  const until = Math.min(head, Number(parameters.get('until_position') ?? head));
  const limit = Number(parameters.get('limit') ?? Number.POSITIVE_INFINITY);
  const positions = Array.from({ length: head / 2 }, (_, i) => (i + 1) * 2)
    .filter((position) => position >= from && position <= until)
    .slice(0, limit);
  const headers = {
    'content-type': 'application/x-ndjson',
    'x-allsource-count': String(positions.length),
    'x-allsource-position': String(head),
  };
  changeHeaders(headers);
  response.writeHead(200, headers);
  const body = Buffer.from(
    positions
      .slice(0, positions.length - lostLines)
      .map(lineOf)
      .join(''),
  );
  const end = cutAfter(requests.length);
  if (end === null) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, end));
  setTimeout(() => response.destroy(), 5);
}

async function exported(filter: ExportFilter = {}, forMs = 5_000) {
  const client = new AllSourceClient({ url, retry: { forMs, delayMsMin: 1, delayMsMax: 2 } });
  let start: unknown;
  const parts: ExportedLines[] = [];
  const options = {
    format: 'ndjson' as const,
    read: readLines,
    onStart: (told: unknown) => {
      start = told;
    },
  };
  for await (const part of client.exportEvents(filter, options)) parts.push(part);
  const text = Buffer.concat(parts.map(({ bytes }) => bytes)).toString('utf8');
  return { text, start, events: parts.reduce((sum, part) => sum + part.events, 0) };
}

const upTo = (last: number) =>
  Array.from({ length: last / 2 }, (_, i) => lineOf((i + 1) * 2)).join('');

describe('an export', () => {
  it('is the store at one position, byte for byte', async () => {
    const { text, start, events } = await exported();
    expect([text, events]).toEqual([upTo(400), 200]);
    expect(start).toEqual({ count: 200, position: 400 });
  });

  it('that is cut anywhere goes on behind its last whole line, at the same position', async () => {
    const length = Buffer.byteLength(upTo(400));
    // At the seams of lines, inside of them and of characters, and before the first byte.
    const line = Buffer.byteLength(lineOf(2));
    for (const at of [0, 1, line - 1, line, line + 1, 48, length - 1, length]) {
      head = 400;
      requests = [];
      cutAfter = (request) => (request <= 2 ? at : null);
      const { text, events } = await exported();
      expect([at, events, text === upTo(400)]).toEqual([at, 200, true]);
    }
    expect(requests.at(-1)?.get('until_position')).toBe('400');
  });

  it('with a limit asks only for what is left', async () => {
    cutAfter = (request) => (request === 1 ? Buffer.byteLength(upTo(20)) + 3 : null);
    const { text, events } = await exported({ limit: 30 });
    expect([text, events]).toEqual([upTo(60), 30]);
    expect(requests.map((one) => one.get('limit'))).toEqual(['30', '20']);
  });

  it('that ends with fewer events than there are fails, and so does one without end', async () => {
    lostLines = 1;
    await expect(exported()).rejects.toMatchObject({ code: 'bad_answer' });
    lostLines = 0;
    cutAfter = () => 0;
    await expect(exported({}, 50)).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is refused when the store answers in another form', async () => {
    changeHeaders = (headers) => {
      headers['content-type'] = 'application/json';
    };
    await expect(exported()).rejects.toMatchObject({ code: 'bad_answer' });
  });

  it('passes its filter on', async () => {
    await exported({
      entityId: 'e/1',
      eventType: 'a.b',
      eventTypePrefix: 'a.',
      excludeEventTypePrefix: 'x,y',
      since: '2026-01-01T00:00:00Z',
      until: '2026-01-02T00:00:00Z',
      asOf: '2026-01-03T00:00:00Z',
      payloadFilter: '{"a":1}',
    });
    expect(Object.fromEntries(requests[0] ?? [])).toEqual({
      entity_id: 'e/1',
      event_type: 'a.b',
      event_type_prefix: 'a.',
      exclude_event_type_prefix: 'x,y',
      since: '2026-01-01T00:00:00Z',
      until: '2026-01-02T00:00:00Z',
      as_of: '2026-01-03T00:00:00Z',
      payload_filter: '{"a":1}',
      order: 'position',
      from_position: '1',
    });
  });
});
