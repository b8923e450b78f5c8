import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';

/** Which commit a key named first, and a digest of what was sent with it. */
export interface IdempotencyRecord {
  readonly position: Position;
  readonly bodyDigest: Buffer;
}

/** The fold of the log into (tenant, idempotency key) -> first commit. Keys are remembered as long as the log. */
export class IdempotencyFold {
  readonly #tenants = new Map<string, Map<string, IdempotencyRecord>>();

  /** Folds one durable frame. */
  apply(frame: Frame): void {
    const mark = frame.idempotency;
    if (mark === null) return;
    const { tenant, position } = frame;
    let keys = this.#tenants.get(tenant);
    if (keys === undefined) {
      keys = new Map();
      this.#tenants.set(tenant, keys);
    }
    keys.set(Buffer.from(mark.key).toString('utf8'), {
      position,
      bodyDigest: Buffer.from(mark.bodyDigest),
    });
  }

  /** The commit a key named; null when the key is unknown. */
  find(tenant: string, key: string): IdempotencyRecord | null {
    return this.#tenants.get(tenant)?.get(key) ?? null;
  }
}
