import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { entityIdFault } from '@allsource/shared/model';
import { shown } from '../definition/members.ts';
import {
  type Destination,
  type EmitOutput,
  ONLY_ROUTE,
  OTHER_ROUTE,
  type TableOutput,
} from '../definition/output-definition.ts';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import { routeOf } from '../operators/branch.ts';
import type { Carried } from '../operators/carried.ts';
import { JsonPath } from '../operators/json-path.ts';
import { OperatorFault } from '../operators/operator.ts';
import { type Cause, emissionBody } from './emission.ts';
import type { OutboxEntry, ResultChange } from './pipeline-file.ts';
import { deliveryBody } from './delivery.ts';

/** What one event puts out. */
export interface EventOutputs {
  readonly results: readonly ResultChange[];
  readonly outbox: readonly OutboxEntry[];
  /** Outputs that no destination takes. */
  readonly unrouted: number;
}

export interface PlannedEvent {
  readonly values: readonly Carried[];
  readonly cause: Cause;
  /** When the event was accepted, in microseconds. */
  readonly recordedAt: number;
}

/** Decides what becomes of the values that come out of the operators. Every output is named by its event and its number, so the same event has the same outputs again. */
export class OutputPlan {
  readonly #pipeline: Pipeline;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  /** The outputs of an event. Throws an OperatorFault when one of them is not possible; then none of them is. */
  of(event: PlannedEvent): EventOutputs {
    const results: ResultChange[] = [];
    const outbox: OutboxEntry[] = [];
    let unrouted = 0;
    for (const [ordinal, value] of event.values.entries()) {
      const to = this.#destination(value);
      if (to === null) unrouted += 1;
      else if (to.destination.kind === 'table')
        results.push(resultOf(value, to.destination, event.recordedAt));
      else if (!value.isRetracted) outbox.push(this.#entry({ ...to, value, ordinal }, event.cause));
    }
    return { results, outbox, unrouted };
  }

  #destination(
    value: Carried,
  ): { readonly route: string; readonly destination: Destination } | null {
    const { output } = this.#pipeline;
    if (output.kind !== 'branches') return { route: ONLY_ROUTE, destination: output };
    const route = routeOf(value) ?? OTHER_ROUTE;
    const named = output.branches.get(route);
    if (named !== undefined) return { route, destination: named };
    return output.otherwise === null ? null : { route: OTHER_ROUTE, destination: output.otherwise };
  }

  #entry(
    out: {
      readonly route: string;
      readonly destination: Destination;
      readonly value: Carried;
      readonly ordinal: number;
    },
    cause: Cause,
  ): OutboxEntry {
    const { route, destination, value, ordinal } = out;
    const { position } = value.origin;
    const { id, run } = this.#pipeline;
    if (destination.kind === 'emit') {
      const mark = { id, run, position, ordinal, hops: cause.hops + 1 };
      const { eventType } = destination;
      const entityId = entityOf(value, destination);
      requirePayload(value);
      const body = emissionBody(value, { eventType, entityId, mark, cause });
      return { kind: 'emit', route, position, ordinal, body };
    }
    const body = deliveryBody(value, this.#pipeline, ordinal);
    return { kind: 'webhook', route, position, ordinal, body };
  }
}

function requirePayload({ text }: Carried): void {
  const bytes = Buffer.byteLength(text);
  const max = LIMITS.payloadBytesMax;
  if (bytes > max)
    throw new OperatorFault(`The output is ${bytes} bytes; at most ${max} are allowed.`);
}

function entityOf(value: Carried, { entityField }: EmitOutput): string {
  if (entityField === null) return value.entity;
  const found = value.at(new JsonPath(entityField));
  const text = typeof found === 'number' ? String(found) : found;
  const fault = typeof text === 'string' ? entityIdFault(text) : `It is ${shown(found)}, not text.`;
  if (fault === null) return must(typeof text === 'string' ? text : null, 'a text');
  throw new OperatorFault(`'${entityField}' does not name an entity. ${fault}`);
}

function resultOf(value: Carried, { key: fields }: TableOutput, recordedAt: number): ResultChange {
  const key = fields === null ? value.key : fields.map((field) => keyPart(value, field)).join('|');
  const { position } = value.origin;
  return { key, value: value.isRetracted ? null : value.text, position, updatedAt: recordedAt };
}

const KEY_PART_LENGTH_MAX = 512;

function keyPart(value: Carried, field: string): string {
  const found = value.at(new JsonPath(field));
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  if (typeof found === 'string' && found.length <= KEY_PART_LENGTH_MAX) return found;
  throw new OperatorFault(
    `'${field}' is ${shown(found)}; the key of a row is text of at most ${KEY_PART_LENGTH_MAX} characters, a number, true or false.`,
  );
}
