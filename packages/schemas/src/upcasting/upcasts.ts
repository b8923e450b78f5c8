/**
 * Brings payloads into the form of a later version of their schema when they are read. What is stored never changes; a payload goes through the steps from its own version to
 * the one asked for, and what comes out is held against the schema of that version. What cannot be brought there is a failure of that event, with what is wrong:
 * it is never passed on in a form that its reader did not ask for.
 *
 * Values that no mapping touches keep the text that they were sent with. One upcast is bounded in places, growth and steps of validation, so its time is in proportion to the payload.
 */
import { type CompiledSchemas, payloadSteps, type SchemaUpcaster } from '../registry/index.ts';
import type { SchemaFold, SchemaVersion } from '../registry/schema-fold.ts';
import type { SchemaViolation } from '../json-schema/validation-run.ts';
import { type VersionedEvent, versionOfEvent } from './event-version.ts';
import { keptTexts } from './kept-texts.ts';
import { MappingRun, UpcastFault } from './mapping-run.ts';
import { Mappings } from './mappings.ts';
import { RawValue } from './raw-value.ts';
import { pathOf } from './upcast-path.ts';

/** An event to bring into another form. */
export interface UpcastEvent extends VersionedEvent {
  readonly tenant: string;
  readonly type: string;
  payload(): Buffer;
}

/** The version asked for; null: the newest. */
export type UpcastTarget = number | null;

/** Why an event cannot be brought into the form asked for. */
export interface UpcastFailure {
  readonly detail: string;
  readonly storedVersion: number;
  readonly targetVersion: number;
  /** What the schema of the target says about the result. */
  readonly violations: readonly SchemaViolation[];
}

export type Upcast =
  /** The event is of the version asked for, or its type has no schema (null): its bytes are the answer. */
  | { readonly kind: 'same'; readonly version: number | null }
  | {
      readonly kind: 'upcast';
      readonly storedVersion: number;
      readonly version: number;
      readonly payload: string;
    }
  | { readonly kind: 'failed'; readonly failure: UpcastFailure };

/** Where upcasters that are functions are called. */
export interface PayloadFunctions {
  /** The JSON text of what a function makes of a payload. Throws an {@link UpcastFault}. */
  call(source: string, payload: string): Promise<string>;
}

export interface UpcastsOptions {
  readonly fold: Pick<SchemaFold, 'subject'>;
  readonly compiled: CompiledSchemas;
  readonly functions: PayloadFunctions;
}

interface Way {
  readonly storedVersion: number;
  readonly targetVersion: number;
}

export class Upcasts {
  readonly #options: UpcastsOptions;
  readonly #mappings = new WeakMap<SchemaUpcaster, Mappings>();

  constructor(options: UpcastsOptions) {
    this.#options = options;
  }

  /** Brings the payload of an event into the form of a version; at once, where no function is among the steps. */
  upcast(event: UpcastEvent, target: UpcastTarget): Upcast | Promise<Upcast> {
    const subject = this.#options.fold.subject(event.tenant, event.type);
    const newest = subject?.versions.length ?? 0;
    const storedVersion = versionOfEvent(subject?.versions ?? [], event);
    if (subject === null || storedVersion === null) return { kind: 'same', version: null };
    const way = { storedVersion, targetVersion: target ?? newest };
    if (storedVersion === way.targetVersion) return { kind: 'same', version: storedVersion };
    const fault = wayFault(way, newest);
    if (fault !== null) return failed(way, fault);
    const path = pathOf(subject.upcasters, way.storedVersion, way.targetVersion);
    if (path === null) return failed(way, NO_PATH);
    const schema = subject.versions[way.targetVersion - 1] as SchemaVersion;
    const text = event.payload().toString('utf8').trim();
    if (path.some(({ work }) => 'function' in work))
      return this.#later(text, { path, schema, way });
    try {
      return this.#fitted(this.#mapped(text, path), { schema, way });
    } catch (error) {
      return failureOf(error, way);
    }
  }

  /** Along steps some of which are functions. */
  async #later(text: string, { path, schema, way }: Going): Promise<Upcast> {
    try {
      let payload = text;
      for (const step of path) payload = await this.#stepped(payload, step);
      return this.#fitted(payload, { schema, way });
    } catch (error) {
      return failureOf(error, way);
    }
  }

  async #stepped(payload: string, step: SchemaUpcaster): Promise<string> {
    const { work } = step;
    if ('mappings' in work) return this.#mapped(payload, [step]);
    try {
      return keptTexts(payload, await this.#options.functions.call(work.function, payload));
    } catch (error) {
      throw faultOf(error, step);
    }
  }

  /** Along steps that are mappings. */
  #mapped(text: string, path: readonly SchemaUpcaster[]): string {
    const payload = new RawValue(text);
    const run = new MappingRun(text.length);
    for (const step of path) {
      try {
        this.#mappingsOf(step).apply(payload, run);
      } catch (error) {
        throw faultOf(error, step);
      }
    }
    return payload.print();
  }

  #fitted(payload: string, { schema, way }: Omit<Going, 'path'>): Upcast {
    const violations = this.#violations(payload, schema);
    if (violations.length > 0)
      return failed(way, 'the result does not fit the schema of that version', violations);
    const { storedVersion } = way;
    return { kind: 'upcast', storedVersion, version: schema.version, payload };
  }

  /** What is wrong with a payload under a schema; none when it fits. */
  #violations(text: string, schema: SchemaVersion): readonly SchemaViolation[] {
    const compiled = this.#options.compiled.of(schema);
    const steps = payloadSteps(text.length);
    const value: unknown = JSON.parse(text);
    const { kind } = compiled.judge(value, steps);
    if (kind === 'good') return [];
    const violations = kind === 'bad' ? compiled.explain(value, steps) : [];
    return violations.length > 0 ? violations : [STEPS_SPENT];
  }

  #mappingsOf(step: SchemaUpcaster): Mappings {
    const known = this.#mappings.get(step);
    if (known !== undefined) return known;
    const mappings = new Mappings('mappings' in step.work ? step.work.mappings : '[]');
    this.#mappings.set(step, mappings);
    return mappings;
  }
}

interface Going {
  readonly path: readonly SchemaUpcaster[];
  readonly schema: SchemaVersion;
  readonly way: Way;
}

/** A fault with the step it happened in. */
function faultOf(error: unknown, { fromVersion, toVersion }: SchemaUpcaster): unknown {
  if (!(error instanceof UpcastFault)) return error;
  return new UpcastFault(`from version ${fromVersion} to ${toVersion}, ${error.message}`);
}

function failureOf(error: unknown, way: Way): Upcast {
  if (error instanceof UpcastFault) return failed(way, error.message);
  throw error;
}

const NO_PATH = 'no upcasters lead there';
const STEPS_SPENT: SchemaViolation = {
  pointer: '',
  rule: 'steps',
  message: 'Validation takes more steps than a payload of this size may take',
};

function wayFault({ storedVersion, targetVersion }: Way, newest: number): string | null {
  if (targetVersion > newest) return `the schema has the versions 1 to ${newest} only`;
  return targetVersion < storedVersion ? 'payloads are brought forward only, never back' : null;
}

function failed(
  { storedVersion, targetVersion }: Way,
  reason: string,
  violations: readonly SchemaViolation[] = [],
): Upcast {
  const detail = `The payload cannot be brought from version ${storedVersion} of its schema to version ${targetVersion}: ${reason}.`;
  return { kind: 'failed', failure: { detail, storedVersion, targetVersion, violations } };
}
