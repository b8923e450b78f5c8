/** Clients that send the heads of large appends and not their bodies: they fill the room for bodies, and nobody else's memory or small appends. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RawConnection } from '@allsource/testkit';
import { LIMITS } from '@allsource/shared/limits';
import { CoreWorld, KEY } from '../support/core-world.ts';

const MIB = 1024 * 1024;
const connections: RawConnection[] = [];
let core: CoreWorld;

beforeAll(async () => {
  core = await CoreWorld.start();
});

afterAll(async () => {
  for (const connection of connections) connection.destroy();
  await core.remove();
});

function head(framing: string): string {
  return `POST /api/v1/events HTTP/1.1\r\nhost: core\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`;
}

function bodyOf(bytes: number): string {
  const empty = JSON.stringify({ event_type: 'a.b', entity_id: 'e', payload: { x: '' } });
  return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`);
}

async function opened(): Promise<RawConnection> {
  const connection = await RawConnection.open(core.url);
  connections.push(connection);
  return connection;
}

/** An append of this size, its length declared or not. */
async function statusOf(bytes: number, isDeclared = true): Promise<number> {
  const connection = await opened();
  const body = bodyOf(bytes);
  connection.send(
    isDeclared
      ? head(`content-length: ${body.length}`) + body
      : `${head('transfer-encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  const { status } = await connection.answer();
  connection.destroy();
  return status;
}

/** Polls, for core sees a connection end some time after its client has ended it. */
async function whenAnswered(status: number, ask: () => Promise<number>): Promise<void> {
  while ((await ask()) !== status) await new Promise((resolve) => setTimeout(resolve, 10));
}

it('bodies that do not come hold their room until their connections end, small appends go on, and large ones are told to come again', async () => {
  const silent: RawConnection[] = [];
  for (let held = 0; held + 16 * MIB <= LIMITS.heldBodyBytesMax; held += 16 * MIB) {
    const connection = await opened();
    connection.send(`${head(`content-length: ${16 * MIB}`)}{"event_type"`);
    silent.push(connection);
  }
  await whenAnswered(503, () => statusOf(MIB - 1000));
  expect(await statusOf(MIB - 1000, false)).toBe(503);
  expect([await statusOf(1000), await statusOf(1000, false)]).toEqual([200, 200]);
  for (const connection of silent) connection.destroy();
  await whenAnswered(200, () => statusOf(MIB - 1000));
  expect(await statusOf(MIB - 1000, false)).toBe(200);
});
