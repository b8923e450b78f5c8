import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { micros } from '@allsource/shared/model';
import { parseBatchRequest, parseSingleRequest } from '../../src/append/ingest-request.ts';

const CONTEXT = {
  limits: { payloadBytesMax: 1000, batchEventsMax: 3 },
  now: micros(1_790_000_000_000_000),
};
const GOOD = { event_type: 'order.placed', entity_id: 'order-1', payload: { a: 1 } };

const single = (body: string | Buffer) => parseSingleRequest(Buffer.from(body as string), CONTEXT);
const batch = (body: string) => parseBatchRequest(Buffer.from(body), CONTEXT);

function refusal(run: () => unknown): {
  code: string;
  members: Record<string, unknown>;
  message: string;
} {
  try {
    run();
  } catch (error) {
    if (error instanceof Problem)
      return { code: error.code, members: { ...error.members }, message: error.message };
    throw error;
  }
  throw new TypeError('it was accepted');
}

describe('a single append', () => {
  it('keeps payload and metadata byte for byte', () => {
    const request = single(
      '{"event_type":"a.b","entity_id":"e","payload": {"n":1.0, "big":12345678901234567890 } ,"metadata":[ 1e2 ]}',
    );
    expect(request.events[0]?.payload.toString()).toBe('{"n":1.0, "big":12345678901234567890 }');
    expect(request.events[0]?.metadata?.toString()).toBe('[ 1e2 ]');
  });

  it('reads escapes in names, ignores members it does not know, and takes the last of equal names', () => {
    const request = single(
      '{"event_type":"x","\\u0065vent_type":"a\\u002eb","entity_id":"\\u00e9","payload":1,"payload":2,"position":9,"__proto__":{"p":1}}',
    );
    expect(request.events[0]).toMatchObject({ type: 'a.b', entity: 'é' });
    expect(request.events[0]?.payload.toString()).toBe('2');
    expect(({} as Record<string, unknown>).p).toBeUndefined();
  });

  it.each([
    ['3', 3],
    ['3.0', 3],
    ['30e-1', 3],
    ['-0', 0],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('takes %s for the whole number that it is, as its schema does', (text, expectedVersion) => {
    const body = JSON.stringify({ ...GOOD, expected_version: '?' }).replace('"?"', text);
    expect(single(body)).toMatchObject({ events: [{ expectedVersion }] });
  });

  it('takes null for an absent optional member', () => {
    const request = single(
      JSON.stringify({
        ...GOOD,
        metadata: null,
        expected_version: null,
        timestamp: null,
        tenant_id: null,
      }),
    );
    expect(request).toMatchObject({
      tenant: null,
      events: [{ metadata: null, expectedVersion: null, timestamp: null }],
    });
  });

  it.each([
    ['', 'malformed_json'],
    ['{', 'malformed_json'],
    ['{"event_type":"a"} x', 'malformed_json'],
    ["{'a':1}", 'malformed_json'],
    ['{"a":01}', 'malformed_json'],
    ['[]', 'invalid_body'],
    ['"text"', 'invalid_body'],
    [JSON.stringify({ ...GOOD, payload: undefined }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, event_type: undefined }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, event_type: 7 }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, entity_id: null }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, event_type: 'Order Placed' }), 'invalid_event_type'],
    [JSON.stringify({ ...GOOD, event_type: '_system.tenant.created' }), 'invalid_event_type'],
    [JSON.stringify({ ...GOOD, entity_id: ' x' }), 'invalid_entity_id'],
    ['{"event_type":"a","entity_id":"\\ud800","payload":1}', 'invalid_entity_id'],
    [JSON.stringify({ ...GOOD, tenant_id: 'a/b' }), 'invalid_tenant_id'],
    [JSON.stringify({ ...GOOD, expected_version: -1 }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, expected_version: 1.5 }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, expected_version: '1' }), 'invalid_body'],
    [
      '{"event_type":"a","entity_id":"e","payload":1,"expected_version":9007199254740993}',
      'invalid_body',
    ],
    ['{"event_type":"a","entity_id":"e","payload":1,"expected_version":1e400}', 'invalid_body'],
    [JSON.stringify({ ...GOOD, timestamp: 'yesterday' }), 'invalid_timestamp'],
    [JSON.stringify({ ...GOOD, timestamp: 1700000000 }), 'invalid_body'],
    [JSON.stringify({ ...GOOD, timestamp: '2100-01-01T00:00:00Z' }), 'future_timestamp'],
    [JSON.stringify({ ...GOOD, payload: 'x'.repeat(1000) }), 'payload_too_large'],
    [
      `{"event_type":"a","entity_id":"e","payload":${'['.repeat(65)}${']'.repeat(65)}}`,
      'json_too_deep',
    ],
  ])('refuses %.60s with %s', (body, code) => {
    expect(refusal(() => single(body)).code).toBe(code);
  });

  it.each([
    ['event_type', '7', `'event_type' is '7'; it must be a string.`],
    ['entity_id', '["é"]', `'entity_id' is '[\\"é\\"]'; it must be a string.`],
    ['timestamp', '1700000000', `'timestamp' is '1700000000'; it must be a string.`],
    ['timestamp', '"2999-01-01T00:00:00Z"', `'timestamp' is '2999-01-01T00:00:00Z', which is in`],
    ['timestamp', '"9999-12-31T24:00:00Z"', `'timestamp' is '9999-12-31T24:00:00Z'`],
  ])('names the value of %s that it refuses: %s', (member, value, text) => {
    const rest = JSON.stringify({ ...GOOD, [member]: undefined }).slice(1);
    expect(refusal(() => single(`{"${member}":${value},${rest}`)).message).toContain(text);
  });

  it('shows what stands in the place of an event that is no object', () => {
    const { message } = refusal(() => single('["a"]'));
    expect(message).toBe(`An event must be a JSON object; this one is '[\\"a\\"]'.`);
  });

  it('refuses bytes that are not UTF-8 and names the first, and takes depth 64', () => {
    expect(refusal(() => single(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])))).toMatchObject({
      code: 'malformed_json',
      message: 'The body is not valid UTF-8 at byte 2.',
      members: { offset: 2 },
    });
    expect(
      single(`{"event_type":"a","entity_id":"e","payload":${'['.repeat(64)}${']'.repeat(64)}}`)
        .events,
    ).toHaveLength(1);
  });
});

describe('a batch append', () => {
  it('names the bad event and where in it the fault lies', () => {
    const { code, members, message } = refusal(() =>
      batch(JSON.stringify({ events: [GOOD, { ...GOOD, event_type: 'NO' }] })),
    );
    expect([code, members.index, members.pointer]).toEqual([
      'invalid_event_type',
      1,
      '/events/1/event_type',
    ]);
    expect(message).toContain('nothing of it was stored');
  });

  it('may be empty, and may not be over its limit', () => {
    expect(batch('{"events":[]}').events).toEqual([]);
    expect(refusal(() => batch(JSON.stringify({ events: [GOOD, GOOD, GOOD, GOOD] }))).code).toBe(
      'batch_too_large',
    );
  });

  it.each(['{}', '[]', '{"events":{}}', '{"events":null}', '{"events":[1]}'])(
    'refuses %s as the wrong shape',
    (body) => {
      expect(refusal(() => batch(body)).code).toBe('invalid_body');
    },
  );

  it('belongs to one tenant', () => {
    expect(
      batch(
        JSON.stringify({
          events: [
            { ...GOOD, tenant_id: 'a' },
            { ...GOOD, tenant_id: 'a' },
          ],
        }),
      ).tenant,
    ).toBe('a');
    const { code, message } = refusal(() =>
      batch(JSON.stringify({ events: [{ ...GOOD, tenant_id: 'a' }, GOOD] })),
    );
    expect(code).toBe('invalid_body');
    expect(message).toContain("this one names none and the first one 'a'");
  });

  it('takes the last of several lists of events, as JSON.parse does', () => {
    expect(batch(`{"events":[1],"events":[${JSON.stringify(GOOD)}]}`).events).toHaveLength(1);
  });
});
