/**
 * R9: core with a heap of 64 MiB, and far more clients than it can serve at once, each with a body of several MiB. What it holds is bounded, the rest is refused with 503 and the advice
 * to come again, nothing of that is stored, and when the rush is over what was refused is taken.
 */
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from '@jest/globals';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, report } from '../support/fault-run.ts';

const MIB = 1024 * 1024;
const HEAP_MIB = 64;
const CLIENTS = isLong ? 400 : 80;
const BODY_MIB = 8;
const EVENTS = 16;
/** Core itself with its caches, the bodies and frames that it may hold, and what the sockets have read ahead. Without a bound the bodies alone are 640 MiB. */
const RESIDENT_MIB_MAX = 500;
/** One copy for all clients. */
const BODY = Buffer.from(
  JSON.stringify({
    events: Array.from({ length: EVENTS }, (_, index) => ({
      event_type: 'large.sent',
      entity_id: `large-${index}`,
      payload: { x: 'x'.repeat((BODY_MIB * MIB) / EVENTS - 200) },
    })),
  }),
);

let core: CoreProcess;
afterEach(() => core.remove());

interface Answer {
  readonly status: number;
  readonly head: string;
}

/** Sends the batch under a key and returns the answer; null when the connection broke before it came. */
function send(key: string): Promise<Answer | null> {
  const { hostname, port } = new URL(core.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const end = () => {
      socket.destroy();
      const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
      resolve(status === undefined ? null : { status: Number(status), head: text.toLowerCase() });
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n\r\n')) end();
    });
    socket.on('close', end).on('error', () => undefined);
    const headers = Object.entries({
      host: 'core',
      ...core.credentials,
      'content-type': 'application/json',
      'idempotency-key': key,
      'content-length': BODY.length,
    });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`POST /api/v1/events/batch HTTP/1.1\r\n${lines}\r\n`);
    socket.write(BODY);
  });
}

function residentMib(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** Refused, with the advice to come again. */
function isAdvised(answer: Answer | null): boolean {
  return answer?.status === 503 && answer.head.includes('\r\nretry-after: 1\r\n');
}

it(`with ${HEAP_MIB} MiB of heap and ${CLIENTS} clients with ${BODY_MIB} MiB each, core holds what it may, and refuses the rest`, async () => {
  core = new CoreProcess({ environment: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` } });
  await core.start();
  let largestMib = 0;
  const watch = setInterval(() => {
    largestMib = Math.max(largestMib, residentMib(core.pid));
  }, 20);
  const before = await core.head();
  const keys = Array.from({ length: CLIENTS }, (_, index) => `rush-${index}`);
  const answers = await Promise.all(keys.map(send));
  clearInterval(watch);

  const refused = answers.filter((answer) => answer !== null && answer.status !== 200);
  expect(refused.filter((answer) => !isAdvised(answer))).toEqual([]);
  const taken = answers.filter((answer) => answer?.status === 200).length;
  const broken = answers.filter((answer) => answer === null).length;
  expect(largestMib).toBeLessThan(RESIDENT_MIB_MAX);
  expect(taken).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  // A refused body is not read to its end when that takes too long, so some clients see only that the connection broke. Under their keys they may all come again.
  const again: (number | undefined)[] = [];
  for (const key of keys.filter((_, index) => answers[index]?.status !== 200))
    again.push((await send(key))?.status);
  expect(again.filter((status) => status !== 200)).toEqual([]);
  expect(await core.head()).toBe(before + CLIENTS * EVENTS);
  report('R9 small heap', {
    clients: CLIENTS,
    'MiB sent at once': CLIENTS * BODY_MIB,
    taken,
    refused: refused.length,
    'connections broken': broken,
    'largest resident MiB': Math.round(largestMib),
    'events in the end': CLIENTS * EVENTS,
  });
});
