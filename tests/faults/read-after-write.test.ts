/**
 * Reads see what was acknowledged before they began, whatever becomes of core: it is killed and started again on the same port, half of the time while the query service is frozen and cannot
 * notice. The services share a machine, so the head is looked up where core posts it; what a dead core has left there must fool nobody.
 */
import { chooseFreePort } from '@allsource/service-kit/http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { AnswerLostError, CoreProcess } from '../support/core-process.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { QueryProcess } from '../support/query-process.ts';

const KILLS = isLong ? 200 : 8;
/** A kill and a start take seconds where the machine has much else to do. */
const TIMEOUT_MS = KILLS * 60_000;
const CLIENTS = 4;
const APPENDS_A_LIFE = 60;

let core: CoreProcess | null = null;
let query: QueryProcess | null = null;

afterEach(async () => {
  await query?.remove();
  await core?.remove();
});

interface Tally {
  appended: number;
  reads: number;
  refused: number;
}

/** How often other services have asked core for its head since it started. */
async function questions(of: CoreProcess): Promise<number> {
  const { text } = await of.ask({ path: '/metrics' });
  const lines = text.matchAll(/requests_total\{[^}]*internal\/v1\/head[^}]*\} (\d+)/g);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('a read that begins after an append was acknowledged', () => {
  it(
    'sees it, over kills of core that the query service may not have noticed',
    async () => {
      const random = new SeededRandom(seed);
      const port = await chooseFreePort();
      const running = new CoreProcess({ environment: { CORE_PORT: String(port) } });
      core = running;
      await running.start();
      const reader = new QueryProcess(running);
      query = reader;
      reader.spawn();
      await reader.answer('/api/v1/events/query?limit=1');

      // The version that was last acknowledged, of each client's entity.
      const acknowledged = Array.from({ length: CLIENTS }, () => 0);
      const tally: Tally = { appended: 0, reads: 0, refused: 0 };
      const stale: string[] = [];
      const over = new AbortController();

      const append = async (client: number): Promise<void> => {
        const body = JSON.stringify({
          event_type: 'note.made',
          entity_id: `client-${client}`,
          payload: { n: tally.appended },
        });
        const answer = await running.ask({ method: 'POST', path: '/api/v1/events', body });
        if (answer.status !== 200) return;
        acknowledged[client] = Math.max(
          acknowledged[client] as number,
          answer.body.version as number,
        );
        tally.appended += 1;
      };
      const read = async (of: number): Promise<void> => {
        const expected = acknowledged[of] as number;
        const path = `/api/v1/events/query?entity_id=client-${of}&order=desc&limit=1`;
        const response = await fetch(reader.url + path, { headers: running.credentials });
        const text = await response.text();
        if (response.status !== 200) {
          tally.refused += 1;
          return;
        }
        tally.reads += 1;
        const { entity_version: version } = JSON.parse(text) as { entity_version: number };
        if (version < expected)
          stale.push(`client-${of} is at ${version}, ${expected} was acknowledged`);
      };
      const work = async (client: number): Promise<void> => {
        while (!over.signal.aborted) {
          try {
            await running.up();
            await append(client);
            await read(client);
            await read((client + 1) % CLIENTS);
          } catch (error) {
            if (!(error instanceof AnswerLostError)) throw error;
          }
        }
      };

      const clients = Array.from({ length: CLIENTS }, (_, client) => work(client));
      let asked = 0;
      let frozen = 0;
      for (let kill = 1; kill <= KILLS; kill++) {
        const target = tally.appended + APPENDS_A_LIFE;
        while (tally.appended < target) await Promise.race([pause(5), ...clients]);
        asked += await questions(running);
        const isFrozen = random.below(2) === 0;
        if (isFrozen) process.kill(reader.pid, 'SIGSTOP');
        await running.kill();
        await pause(random.below(50));
        await running.start();
        if (isFrozen) {
          frozen += 1;
          for (let client = 0; client < CLIENTS; client++) await append(client);
          process.kill(reader.pid, 'SIGCONT');
        }
      }
      over.abort();
      await Promise.all(clients);
      report('reads after writes', {
        'kills of core': KILLS,
        'while the query service was frozen': frozen,
        'acknowledged appends': tally.appended,
        reads: tally.reads,
        'reads refused meanwhile': tally.refused,
        'questions for the head': asked,
      });
      expect(stale).toEqual([]);
      expect(frozen).toBeGreaterThan(0);
      expect(tally.reads).toBeGreaterThan(KILLS * APPENDS_A_LIFE);
      // The post is what was used, or this test has tested the other way.
      expect(asked).toBeLessThan(tally.reads / 10);
    },
    TIMEOUT_MS,
  );
});
