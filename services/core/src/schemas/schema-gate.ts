import { SchemaCheck, type SchemaCheckOptions } from './schema-check.ts';

export type SchemaGateOptions = Pick<SchemaCheckOptions, 'fold' | 'compiled' | 'counts'>;

/** Says which appends have to be checked. */
export class SchemaGate {
  readonly #options: SchemaGateOptions;

  constructor(options: SchemaGateOptions) {
    this.#options = options;
  }

  /** The check of an append of a tenant; null when there is nothing to check, or `isStored` says that the append is in the log already. */
  begin(tenant: string, isStored: () => boolean): SchemaCheck | null {
    const { fold } = this.#options;
    const enforcement = fold.enforcement(tenant);
    if (enforcement === 'permissive' || fold.subjects(tenant).size === 0 || isStored()) return null;
    return new SchemaCheck({ ...this.#options, tenant, enforcement });
  }
}
