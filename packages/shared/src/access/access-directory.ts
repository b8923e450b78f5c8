/**
 * The fold of the log's access events: tenants and API keys. Every service keeps one, fed with the same system frames in position
 * order, so a key check is one lookup in memory and needs no other service.
 */
import { type Micros, parseTimestamp } from '../model/timestamp.ts';
import type { Position } from '../model/position.ts';
import { POSITION_ZERO } from '../model/position.ts';
import type { ApiKeyCreated, TenantCreated } from '../protocol/system-events.ts';
import { type LoggedSystemEvent, SystemFold } from '../protocol/system-fold.ts';

/** An API key as lists show it. */
export interface ApiKeyRecord extends ApiKeyCreated {
  readonly createdAt: Micros;
  readonly expiresAtMs: number | null;
  readonly active: boolean;
}

/** A tenant as lists show it. */
export interface TenantRecord extends TenantCreated {
  readonly createdAt: Micros;
}

interface SavedDirectory {
  readonly position: Position;
  readonly keys: readonly ApiKeyRecord[];
  readonly tenants: readonly TenantRecord[];
}

export class AccessDirectory extends SystemFold {
  /** Names the form of what `save` makes. */
  readonly sectionName = 'access/1';
  readonly #keysByHash = new Map<string, ApiKeyRecord>();
  readonly #hashById = new Map<string, string>();
  readonly #tenants = new Map<string, TenantRecord>();

  /** Forgets everything, to be folded again from the first frame. */
  clear(): void {
    this.#keysByHash.clear();
    this.#hashById.clear();
    this.#tenants.clear();
    this.standAt(POSITION_ZERO);
  }

  protected override fold({ parsed, frame }: LoggedSystemEvent): void {
    if (parsed.type === '_system.tenant.created') {
      this.#tenants.set(parsed.payload.id, { ...parsed.payload, createdAt: frame.recordedAt });
    } else if (parsed.type === '_system.api_key.created')
      this.#addKey(parsed.payload, frame.recordedAt);
    else if (parsed.type === '_system.api_key.revoked') this.#revokeKey(parsed.payload.id);
  }

  /** The directory as bytes for a checkpoint, which are as secret as the hashes of the keys. */
  save(): Buffer[] {
    const saved: SavedDirectory = {
      position: this.appliedPosition,
      keys: this.keys(),
      tenants: this.tenants(),
    };
    return [Buffer.from(JSON.stringify(saved))];
  }

  /** Takes in what `save` has made. The directory is empty before. */
  load(part: Buffer): void {
    const saved = JSON.parse(part.toString()) as SavedDirectory;
    this.standAt(saved.position);
    for (const tenant of saved.tenants) this.#tenants.set(tenant.id, tenant);
    for (const key of saved.keys) {
      this.#keysByHash.set(key.key_hash, key);
      this.#hashById.set(key.id, key.key_hash);
    }
  }

  #addKey(key: ApiKeyCreated, createdAt: Micros): void {
    const expires = key.expires_at === null ? null : parseTimestamp(key.expires_at);
    // A key whose expiry cannot be read is treated as expired: the safe reading.
    const expiresAtMs = key.expires_at === null ? null : expires === null ? 0 : expires / 1000;
    this.#keysByHash.set(key.key_hash, { ...key, createdAt, expiresAtMs, active: true });
    this.#hashById.set(key.id, key.key_hash);
  }

  #revokeKey(id: string): void {
    const hash = this.#hashById.get(id);
    const key = hash === undefined ? undefined : this.#keysByHash.get(hash);
    if (key !== undefined) this.#keysByHash.set(key.key_hash, { ...key, active: false });
  }

  /** The key with this hash, also a revoked one. */
  keyByHash(hash: string): ApiKeyRecord | undefined {
    return this.#keysByHash.get(hash);
  }

  /** The key with this id, also a revoked one. */
  keyById(id: string): ApiKeyRecord | undefined {
    const hash = this.#hashById.get(id);
    return hash === undefined ? undefined : this.#keysByHash.get(hash);
  }

  /** All keys, oldest first. */
  keys(): ApiKeyRecord[] {
    return [...this.#keysByHash.values()];
  }

  hasTenant(id: string): boolean {
    return this.#tenants.has(id);
  }

  tenant(id: string): TenantRecord | undefined {
    return this.#tenants.get(id);
  }

  /** All tenants, oldest first. */
  tenants(): TenantRecord[] {
    return [...this.#tenants.values()];
  }
}
