import { type Bench, type Measurement, measurementOf } from '../measurement.ts';
import { RunningCore } from '../subjects/core.ts';
import { residentBytes, usedBytes } from './inspected-memory.ts';

const FILL_CLIENTS = 4;
const WARM_EVENTS = 20_000;

/** What the folds of core keep for each entity it knows: live heap after a collection, before and after a number of entities. */
export async function runMemory(bench: Bench): Promise<Measurement[]> {
  const { entities, eventBytes } = bench.options;
  const title = `memory of core per known entity (${entities.toLocaleString('en')} entities)`;
  const measurement = measurementOf({ caseName: 'memory', title, unit: 'bytes/entity' });
  bench.announce(title);
  const nodeArgs = ['--inspect=127.0.0.1:0'];
  const core = await RunningCore.start(bench.freshFolder('memory'), { nodeArgs });
  try {
    const fill = { kind: 'fill', target: core.target, clients: FILL_CLIENTS, eventBytes } as const;
    await bench.load.run({ ...fill, events: WARM_EVENTS, entities: 1, entityPrefix: 'warm' });
    await bench.add(measurement, async () => {
      const before = await usedBytes(core.output);
      const residentBefore = residentBytes(core.pid);
      await bench.load.run({ ...fill, events: entities, entities, entityPrefix: 'known' });
      const resident = (residentBytes(core.pid) - residentBefore) / entities;
      const value = ((await usedBytes(core.output)) - before) / entities;
      const note = `resident set grew by ${Math.round(resident)} bytes per entity, garbage included`;
      return { value, latency: null, note };
    });
  } finally {
    await core.stop();
  }
  return [measurement];
}
