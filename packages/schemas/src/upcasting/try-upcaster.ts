import { setImmediate as nextTurn } from 'node:timers/promises';
import { quoted } from '@allsource/shared/model';
import type { CompiledSchema } from '../json-schema/compiled-schema.ts';
import type { SchemaViolation } from '../json-schema/validation-run.ts';
import { payloadSteps } from '../registry/validation-budget.ts';
import type { UpcasterWork } from '../registry/schema-fold.ts';
import { keptTexts } from './kept-texts.ts';
import { UpcastFault } from './mapping-run.ts';
import { invalidUpcaster } from './mapping-text.ts';
import { Mappings } from './mappings.ts';
import { samplePayloads } from './sample-payloads.ts';
import type { PayloadFunctions } from './upcasts.ts';

/** A step to try before it is accepted. */
export interface UpcasterTrial {
  readonly work: UpcasterWork;
  readonly functions: PayloadFunctions;
  readonly source: CompiledSchema;
  readonly target: CompiledSchema;
  /** JSON texts of payloads; empty: they are made from the schema of the source. */
  readonly samples: readonly string[];
  /** Where the upcaster stands in what was sent, for messages. */
  readonly pointer: string;
}

const SHOWN_MAX = 500;

/**
 * Tries a step with samples: what comes out of each must fit the schema it leads to. Returns how many were tried. Throws `invalid_upcaster` that names
 * the sample, what came out of it and what is wrong. The event loop turns between samples.
 */
export async function tryUpcaster(trial: UpcasterTrial): Promise<number> {
  const { source, target, pointer } = trial;
  const apply = workOf(trial);
  const member = 'mappings' in trial.work ? 'mappings' : 'function';
  const isGiven = trial.samples.length > 0;
  const samples = isGiven ? trial.samples : samplePayloads(source);
  if (samples.length === 0)
    throw invalidUpcaster(
      `${pointer}/samples`,
      "no payload could be made from the schema of the older version; give some in 'samples'.",
    );
  for (const [index, sample] of samples.entries()) {
    const at = isGiven ? `${pointer}/samples/${index}` : `${pointer}/${member}`;
    const who = isGiven ? 'the sample' : `the sample ${shown(sample)}, made from the schema,`;
    if (isGiven)
      requireFit(sample, source, (faults) =>
        invalidUpcaster(at, `${who} is no payload of the older version: ${faults}.`),
      );
    const result = await applied(apply, sample, (fault) =>
      invalidUpcaster(at, `with ${who} it fails: ${fault}.`),
    );
    requireFit(result, target, (faults) =>
      invalidUpcaster(
        at,
        `${who} becomes ${shown(result)}, which does not fit the newer version: ${faults}.`,
      ),
    );
    await nextTurn();
  }
  return samples.length;
}

type Work = (payload: string) => string | Promise<string>;

/** What the step does to a payload. */
function workOf({ work, functions, pointer }: UpcasterTrial): Work {
  if ('mappings' in work) {
    const mappings = new Mappings(work.mappings, `${pointer}/mappings`);
    return (payload) => mappings.applyTo(payload);
  }
  return async (payload) => keptTexts(payload, await functions.call(work.function, payload));
}

async function applied(
  apply: Work,
  sample: string,
  refuse: (fault: string) => Error,
): Promise<string> {
  try {
    return await apply(sample);
  } catch (error) {
    if (error instanceof UpcastFault) throw refuse(error.message);
    throw error;
  }
}

function requireFit(text: string, schema: CompiledSchema, refuse: (faults: string) => Error): void {
  const value: unknown = JSON.parse(text);
  const steps = payloadSteps(text.length);
  if (schema.judge(value, steps).kind === 'good') return;
  throw refuse(faultsText(schema.explain(value, steps)));
}

function faultsText(violations: readonly SchemaViolation[]): string {
  if (violations.length === 0) return 'it takes too many steps to say';
  return violations
    .map(({ pointer, message }) => `${pointer === '' ? 'the payload' : pointer}: ${message}`)
    .join('; ');
}

function shown(text: string): string {
  return text.length > SHOWN_MAX ? quoted(text) : text;
}
