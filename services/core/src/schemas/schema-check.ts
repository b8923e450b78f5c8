/**
 * Holds the payloads of an append against the schemas of its tenant, before they are placed. Called by append-route.ts and group-stream.ts.
 *
 * A tenant without schemas, or one that enforces none, costs a look-up for each append; a type without a schema costs the look-up of its name. Most payloads are told to
 * fit by their bytes alone; the others are parsed only to be looked at: what is stored are the client's own bytes. The schemas are those of the moment in which the check began.
 *
 * The work of one append is bounded in steps, and a large append gives others their turn: `advance` says false, and is called again with the same
 * events, which by then have been read again. What was sent before under the same idempotency key is not judged again: it is in the log.
 */
import { problem, type Problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { type EventTexts, PayloadPlace } from '../append/event-texts.ts';
import type { CompiledSchema, SchemaViolation } from '@allsource/schemas/json-schema';
import {
  appendSteps,
  type CompiledSchemas,
  payloadSteps,
  type SchemaFold,
  type SchemaVersion,
} from '@allsource/schemas/registry';
import { stepsSpent } from './schema-service.ts';
import { violationText } from './violation-text.ts';

/** Counts what the checks find. */
export interface SchemaCounts {
  countValidated(payloads: number): void;
  countViolations(enforcement: 'warn' | 'strict', payloads: number): void;
}

export interface SchemaCheckOptions {
  readonly fold: SchemaFold;
  readonly compiled: CompiledSchemas;
  readonly counts: SchemaCounts;
  readonly tenant: string;
  readonly enforcement: 'warn' | 'strict';
}

interface Rule {
  readonly schema: SchemaVersion;
  readonly compiled: CompiledSchema;
}

/** A payload, and what it is judged by. */
interface Judged {
  readonly rule: Rule;
  readonly index: number;
  readonly text: string;
}

/** Payloads that are parsed at once: few enough to be still near when they are judged. */
const PARSED_PAYLOADS = 32;
const PARSED_BYTES = 32 * 1024;

export class SchemaCheck {
  readonly #options: SchemaCheckOptions;
  readonly #rules = new Map<string, Rule | null>();
  readonly #place = new PayloadPlace();
  #type: string | null = null;
  #rule: Rule | null = null;
  #next = 0;
  #validated = 0;
  #warnings = 0;
  #bytes = 0;
  #stepsTaken = 0;

  constructor(options: SchemaCheckOptions) {
    this.#options = options;
  }

  /** Payloads that do not fit and are stored nevertheless. */
  get warnings(): number {
    return this.#warnings;
  }

  /**
   * Goes on with the check; true when it is done. The events are the same at each call. Throws `schema_violation` for the first payload that does not
   * fit, if the tenant is strict; then nothing of the append is to be stored.
   */
  advance(events: EventTexts): boolean {
    const turnEnd = this.#bytes + LIMITS.schemaTurnBytes;
    while (this.#next < events.count) {
      if (this.#bytes >= turnEnd) return false;
      const waiting = this.#collect(events);
      if (waiting.length === 0) continue;
      // Parsed together, small payloads cost a third less than one by one.
      const payloads = JSON.parse(`[${waiting.map(({ text }) => text).join(',')}]`) as unknown[];
      for (const [at, subject] of waiting.entries()) this.#check(subject, payloads[at]);
    }
    const { counts, enforcement } = this.#options;
    counts.countValidated(this.#validated);
    if (this.#warnings > 0) counts.countViolations(enforcement, this.#warnings);
    return true;
  }

  /** The next payloads that a schema applies to and that their bytes alone do not tell to fit. */
  #collect(events: EventTexts): Judged[] {
    const waiting: Judged[] = [];
    let bytes = 0;
    while (this.#next < events.count && bytes < PARSED_BYTES && waiting.length < PARSED_PAYLOADS) {
      const index = this.#next++;
      const type = events.typeAt(index);
      // Neighbours mostly have one type, and the same text for it.
      if (type !== this.#type) this.#take(type);
      if (this.#rule === null) continue;
      events.placePayload(index, this.#place);
      bytes += this.#place.end - this.#place.start;
      if (this.#rule.compiled.fitsBytes(this.#place.bytes, this.#place)) {
        this.#bytes += this.#place.end - this.#place.start;
        this.#validated++;
        continue;
      }
      const text = events.payloadAt(index);
      waiting.push({ rule: this.#rule, index, text });
    }
    return waiting;
  }

  #take(type: string): void {
    let rule = this.#rules.get(type);
    if (rule === undefined) {
      const { fold, compiled, tenant } = this.#options;
      const schema = fold.latest(tenant, type);
      rule = schema === null ? null : { schema, compiled: compiled.of(schema) };
      this.#rules.set(type, rule);
    }
    this.#type = type;
    this.#rule = rule;
  }

  #check({ rule: { schema, compiled }, index, text }: Judged, payload: unknown): void {
    this.#bytes += text.length;
    this.#validated++;
    const steps = Math.min(
      payloadSteps(text.length),
      Math.max(0, appendSteps(this.#bytes) - this.#stepsTaken),
    );
    const verdict = compiled.judge(payload, steps);
    this.#stepsTaken += verdict.kind === 'undecided' ? steps : steps - verdict.stepsLeft;
    if (verdict.kind === 'good') return;
    if (this.#options.enforcement === 'warn') {
      this.#warnings++;
      return;
    }
    this.#options.counts.countViolations('strict', 1);
    const violations =
      verdict.kind === 'bad' ? compiled.explain(payload, payloadSteps(text.length)) : [];
    throw violation(schema, index, violations.length > 0 ? violations : [stepsSpent(steps)]);
  }
}

function violation(
  { subject, version }: SchemaVersion,
  index: number,
  violations: readonly SchemaViolation[],
): Problem {
  const errors = violations.map(violationText);
  return problem(
    'schema_violation',
    `The payload of event ${index} does not fit version ${version} of the schema of ${quoted(subject)}: ${errors.join('; ')}. Nothing was stored.`,
    {
      index,
      details: { event_type: subject, schema_version: version, errors, violations },
    },
  );
}
