/**
 * P19: what each rule costs. Core can leave out honestly what a client does not ask for (idempotency keys, expected versions) and, in dev mode, the key
 * check. Validation, checksums and durability have no switch, and none is made for a benchmark: the ingest probe, which does the same work with
 * little of that, is the bound of what they cost together.
 */
import type { AskedRules, RuledAppendJob, Target } from '../load/job.ts';
import { type Bench, type Entry, type Measurement, measurementOf } from '../measurement.ts';
import { CORE, RunningCore } from '../subjects/core.ts';
import { INGEST_PROBE, ingestProbe } from '../subjects/peers.ts';
import type { RunningSubject } from '../subjects/subject.ts';
import { enforceSchema } from '../support/strict-schemas.ts';
import { outcomeOf } from './comparisons.ts';

const CLIENTS = 16;
const EVENTS_PER_CALL = 100;
const TITLE = `cost of the rules, batches of ${EVENTS_PER_CALL}, ${CLIENTS} clients`;
const ALL: AskedRules = { idempotencyKeys: true, expectedVersions: true };
const NONE: AskedRules = { idempotencyKeys: false, expectedVersions: false };

interface Variant {
  readonly subject: string;
  readonly target: Target;
  readonly rules: AskedRules;
}

export async function runSafetyCost(bench: Bench): Promise<Measurement[]> {
  bench.announce(`P19 ${TITLE}`);
  const started: RunningSubject[] = [];
  const start = async (starting: Promise<RunningSubject>): Promise<Target> => {
    const running = await starting;
    started.push(running);
    return running.target;
  };
  try {
    const core = await start(RunningCore.start(bench.freshFolder('rules')));
    const environment = { ALLSOURCE_DEV_MODE: 'true' };
    const open = await start(RunningCore.start(bench.freshFolder('open'), { environment }));
    const strict = await RunningCore.start(bench.freshFolder('strict'));
    started.push(strict);
    await enforceSchema(strict, bench.options);
    const keyless: Target = { ...open, apiKey: '' };
    const variants: Variant[] = [
      { subject: CORE, target: core, rules: ALL },
      { subject: 'and a schema on every event', target: strict.target, rules: ALL },
      {
        subject: 'a schema, no idempotency keys',
        target: strict.target,
        rules: { ...ALL, idempotencyKeys: false },
      },
      { subject: 'no idempotency keys', target: core, rules: { ...ALL, idempotencyKeys: false } },
      { subject: 'no expected versions', target: core, rules: { ...ALL, expectedVersions: false } },
      { subject: 'no key check', target: keyless, rules: ALL },
      { subject: 'none of the three', target: keyless, rules: NONE },
    ];
    if (bench.options.measuresPeers) {
      const probe = await start(ingestProbe().start(bench.freshFolder('probe')));
      variants.push({ subject: INGEST_PROBE, target: probe, rules: NONE });
    }
    const entries = variants.map((variant) => entryOf(bench, variant));
    await bench.takeSamples(entries);
    return entries.map(({ measurement }) => measurement);
  } finally {
    for (const running of started) await running.stop();
  }
}

function entryOf(bench: Bench, { subject, target, rules }: Variant): Entry {
  const { eventBytes } = bench.options;
  return {
    measurement: measurementOf({ caseName: 'P19', title: TITLE, unit: 'events/s', subject }),
    isWarmedUp: true,
    work: async (span) => {
      const job: RuledAppendJob = {
        kind: 'ruled-append',
        target,
        clients: CLIENTS,
        eventsPerCall: EVENTS_PER_CALL,
        eventBytes,
        ...rules,
        ...span,
      };
      return outcomeOf(await bench.load.run(job));
    },
  };
}
