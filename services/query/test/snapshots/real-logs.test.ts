/**
 * The states of the entities of two real event logs, at twenty random instants of both clocks each, beside a fold written down in the plainest
 * way. A sample of the entities in the first events; all of them with `npm run test:faults`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { type EventLog, eventLog, type EventLogName } from '@allsource/testkit';
import { Turns } from '@allsource/service-kit/turns';
import { GeneratedLog, type ModelEvent } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { openSnapshots, stateOf } from '../support/snapshot-world.ts';

const DATA_FOLDER = fileURLToPath(new URL('../../../../../shared/data', import.meta.url));
const INSTANTS = 20;
const FRAME_EVENTS = 100;
const IS_LONG = process.env['ALLSOURCE_TEST_FAULTS'] === 'long';
const ENTITIES_SAMPLED = IS_LONG ? Infinity : 60;
const EVENTS_MAX = IS_LONG ? Infinity : 15_000;

function logOf(source: EventLog): GeneratedLog {
  const events = source.events.slice(0, EVENTS_MAX);
  const log = new GeneratedLog();
  for (let n = 0; n < events.length; n += FRAME_EVENTS) {
    const drafts = events.slice(n, n + FRAME_EVENTS).map((event) => ({
      type: event.event_type,
      entity: event.entity_id,
      payload: event.payloadText,
      timestamp: Date.parse(event.timestamp) * 1000,
    }));
    log.commit('acme', drafts);
  }
  return log;
}

function entitiesOf(events: readonly ModelEvent[]): ModelEvent[][] {
  const found = new Map<string, ModelEvent[]>();
  for (const event of events) {
    const own = found.get(event.entity);
    if (own === undefined) found.set(event.entity, [event]);
    else own.push(event);
  }
  return [...found.values()];
}

function plainState(events: readonly ModelEvent[]) {
  const payloads = events.map(({ payload }) => JSON.parse(payload) as object);
  return events.length === 0
    ? null
    : [Object.assign({}, ...payloads) as unknown, events.length, events.at(-1)?.version];
}

describe('the state of the entities of a real log', () => {
  it.each<EventLogName>(['permits', 'incidents'])(
    '%s is the fold of its events',
    async (name) => {
      const folder = mkdtempSync(join(tmpdir(), 'allsource-states-'));
      const source = eventLog(name, { dataFolder: DATA_FOLDER, tempFolder: folder });
      const random = new Random(propertySeed(`states of the ${source.origin}`));
      const log = logOf(source);
      const side = await openReadSide(folder, 8192);
      const { snapshots, store } = openSnapshots(folder, side);
      const all = entitiesOf(log.events);
      const sampled = all.filter(() => random.chance(ENTITIES_SAMPLED / all.length));
      const snapshotSome = async () => {
        for (const [{ entity } = { entity: '' }] of sampled) {
          const { appliedPosition: untilPosition } = side.history;
          const wanted = { tenant: 'acme', entity, kind: 'manual', untilPosition } as const;
          if (random.chance(0.5)) await snapshots.take(wanted, new Turns());
        }
      };
      await side.history.apply(log.frames.slice(0, log.frames.length / 2), log.logIdHex);
      await snapshotSome();
      await follow(side.history, log);
      await snapshotSome();

      let shortened = 0;
      for (const events of sampled) {
        const { entity } = events[0] as ModelEvent;
        for (let i = 0; i < INSTANTS; i++) {
          const asOf = random.pick(events).timestamp - random.below(2);
          const asOfRecorded = random.chance(0.5) ? random.pick(events).recordedAt : undefined;
          const question = { tenant: 'acme', entity, asOf, asOfRecorded };
          const state = await stateOf(side, snapshots, question);
          const selected = events.filter(
            (event) => event.timestamp <= asOf && event.recordedAt <= (asOfRecorded ?? Infinity),
          );
          const text = [...(state?.members ?? [])].map(([n, v]) => `${JSON.stringify(n)}:${v}`);
          const found =
            state === null
              ? null
              : [JSON.parse(`{${text.join(',')}}`), state.eventCount, state.last.version];
          expect({ question, found }).toEqual({ question, found: plainState(selected) });
          if (state !== null && state.eventsRead < state.eventCount) shortened++;
        }
      }
      console.info(
        `${sampled.length} of ${all.length} entities, ${INSTANTS} instants each; ${shortened} states from a snapshot`,
      );
      expect(shortened).toBeGreaterThan(0);
      store.close();
      await side.history.close();
      rmSync(folder, { recursive: true, force: true });
    },
    600_000,
  );
});
