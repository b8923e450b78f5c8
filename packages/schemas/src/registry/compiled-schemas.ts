import { LIMITS } from '@allsource/shared/limits';
import { CompiledSchema } from '../json-schema/compiled-schema.ts';
import type { SchemaVersion } from './schema-fold.ts';

/** What the smallest schema counts for, so that the number of those is bounded too. */
const COST_MIN = 2 * 1024;

/**
 * The compiled schemas of the process: those that were used last, of all tenants. One that is not there is compiled when it is needed, which a start
 * leaves to the first event of its type.
 */
export class CompiledSchemas {
  /** The one used longest ago comes first. */
  readonly #kept = new Map<SchemaVersion, CompiledSchema>();
  #cost = 0;

  /** The compiled form of a registered schema. */
  of(schema: SchemaVersion): CompiledSchema {
    const known = this.#kept.get(schema);
    if (known !== undefined) {
      this.#kept.delete(schema);
      this.#kept.set(schema, known);
      return known;
    }
    const compiled = new CompiledSchema(JSON.parse(schema.text));
    this.#kept.set(schema, compiled);
    this.#cost += costOf(schema);
    for (const oldest of this.#kept.keys()) {
      if (this.#cost <= LIMITS.compiledSchemasBytesMax || oldest === schema) break;
      this.#kept.delete(oldest);
      this.#cost -= costOf(oldest);
    }
    return compiled;
  }
}

function costOf({ text }: SchemaVersion): number {
  return Math.max(text.length, COST_MIN);
}
