/**
 * R1 for a streamed append: core is killed with SIGKILL at random moments while lines stream in, and the client sends the same stream again with the same
 * key until it is through. What was acknowledged keeps its positions, and in the end every line is stored once, in order.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Json, LaneClient, SeededRandom } from '@allsource/testkit';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { LogAudit } from '../support/log-audit.ts';

const KILLS = isLong ? 60 : 3;
const LINES = isLong ? 60_000 : 15_000;
const GROUP_LINES = 50;
const LINES_AT_ONCE = 500;
const core = new CoreProcess({ environment: { ALLSOURCE_SEGMENT_BYTES: String(1024 * 1024) } });

afterEach(() => core.remove());

function linesFrom(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const line = first + i;
    return `{"event_type":"line.sent","entity_id":"e-${line % 97}","payload":{"line":${line}}}\n`;
  }).join('');
}

function newClient(): LaneClient {
  return new LaneClient({
    url: core.url,
    path: `/api/v1/events/batch?group_lines=${GROUP_LINES}`,
    headers: { ...core.credentials, 'idempotency-key': `stream-${seed}` },
  });
}

/** Sends all lines; ends early when the connection breaks. */
async function sendAll(client: LaneClient): Promise<void> {
  for (let line = 1; line <= LINES && client.fault === null; line += LINES_AT_ONCE)
    await client.write(linesFrom(line, LINES_AT_ONCE));
  if (client.fault === null) await client.end();
}

describe('a stream of lines, sent again with its key after each of many kills', () => {
  it('is stored once, whole and in order, and acknowledgements stay true', async () => {
    const random = new SeededRandom(seed);
    const promised = new Map<number, Json>();
    const counts = { groups: 0, replayed: 0 };
    let last: Json = null;
    for (let kill = 0; kill <= KILLS; kill++) {
      await core.start();
      const client = newClient();
      const sending = sendAll(client);
      if (kill < KILLS) {
        // Later kills strike further on: what is stored already is acknowledged again first.
        const groups = Math.floor((LINES / GROUP_LINES) * ((kill + random.next()) / KILLS));
        await client.until(Math.min(groups, LINES / GROUP_LINES - 1));
        await pause(random.below(4));
        await core.kill();
      }
      await sending;
      for (const line of client.lines.filter(({ kind }) => kind === 'group')) {
        const { first_position: first, last_position: end } = line;
        const before = promised.get(line.group) ?? line;
        expect([first, end]).toEqual([before.first_position, before.last_position]);
        promised.set(line.group, line);
        counts.groups += 1;
        if (line.replayed === true) counts.replayed += 1;
      }
      last = client.lines.at(-1);
    }
    expect(last).toMatchObject({ kind: 'summary', lines: LINES, events: LINES });
    const found: number[] = [];
    const audit = new LogAudit((frame) => {
      for (const event of frame.events())
        found.push(JSON.parse(Buffer.from(event.payload).toString()).line as number);
    });
    await audit.read(core);
    report('R1 kill -9 of a stream', {
      kills: KILLS,
      lines: LINES,
      'groups acknowledged': counts.groups,
      'of them again': counts.replayed,
    });
    expect(audit.faults).toEqual([]);
    expect(found).toEqual(Array.from({ length: LINES }, (_, i) => i + 1));
    expect(counts.replayed).toBeGreaterThan(0);
  }, 1_800_000);
});
