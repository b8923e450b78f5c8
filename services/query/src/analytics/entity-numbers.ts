/**
 * One number for each entity of a tenant over all runs, so that counts by entity are sums in an array. A run knows its entities by numbers of its
 * own; the first scan that meets a run looks each of them up once and keeps the list.
 *
 * Entities are told apart by 96 bits of hash, not by their ids, which stay in the runs: 20 bytes an entity whatever its id. 32 bits are those the
 * history finds entities by; the others depend on random seeds of this process, so nobody can choose ids that fall together. That two of
 * ten million entities do by chance has a probability of less than 1 in 10^15.
 *
 * All of it is made on demand and may be forgotten at any time between two scans; a scan holds what it began with.
 */
import { randomInt } from 'node:crypto';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { EventRun, RunSource } from '../history/event-run.ts';
import { type CacheFigures, RunCache } from './run-cache.ts';
import type { Pace } from '@allsource/service-kit/turns';

const MIB = 1024 * 1024;
const LISTS_BYTES_MAX = 256 * MIB;
const ENTITIES_A_STEP = 4_096;
const FIRST = 1024;
const PARTS = 256;
/** The part of a hash is its highest byte. */
const PART_SHIFT = 24;
const PART_SLOTS_FIRST = 8;
const EMPTY = -1;
const UINT32_END = 2 ** 32;

export interface EntityNumbersOptions {
  /** Entities of one tenant; more cannot be counted. */
  readonly entitiesMax?: number;
  /** Bytes of the lists of runs. */
  readonly listsBytesMax?: number;
}

/** The numbers of one tenant's entities. */
export interface TenantNumbers {
  /** How many entities have numbers: they are 0 to one below this. */
  readonly count: number;
  /** The numbers of a run's entities by the run's own numbers. Those of other tenants' entities mean nothing. */
  of(run: EventRun, pace: Pace): Promise<Uint32Array>;
}

export class EntityNumbers {
  readonly #entitiesMax: number;
  readonly #listsBytesMax: number;
  #lists: RunCache<NumberList>;
  #tenants = new Map<string, EntityTable>();
  readonly #seeds = [randomInt(UINT32_END), randomInt(UINT32_END)] as const;

  constructor(options: EntityNumbersOptions = {}) {
    this.#entitiesMax = options.entitiesMax ?? LIMITS.countedEntitiesMax;
    this.#listsBytesMax = options.listsBytesMax ?? LISTS_BYTES_MAX;
    this.#lists = new RunCache(this.#listsBytesMax);
  }

  /** Of the lists of runs. */
  get figures(): CacheFigures {
    return this.#lists.figures;
  }

  /** The numbers of a tenant, for one scan. */
  ofTenant(tenant: string): TenantNumbers {
    this.#forgetIfMany();
    const table = this.#tenants.get(tenant) ?? new EntityTable();
    this.#tenants.set(tenant, table);
    const lists = this.#lists;
    return {
      get count() {
        return table.count;
      },
      of: async (run, pace) => {
        const list = listOf(lists, run.source);
        const entityCount = await this.#fill(list, { run, tenant, table, pace });
        return list.numbers.subarray(0, entityCount);
      },
    };
  }

  /** Tables grow as long as entities come; when those of all tenants are too many together, everybody begins anew. */
  #forgetIfMany(): void {
    let entities = 0;
    for (const table of this.#tenants.values()) entities += table.count;
    if (entities <= this.#entitiesMax) return;
    this.#tenants = new Map();
    this.#lists = new RunCache(this.#listsBytesMax);
  }

  /**
   * Looks up the entities of a run that have not been yet, and returns how many it has. Several scans may do so at once: each goes on where the
   * list is.
   */
  async #fill(
    list: NumberList,
    { run, tenant, table, pace }: { run: EventRun; tenant: string; table: EntityTable; pace: Pace },
  ): Promise<number> {
    const { source } = run;
    const { entityCount } = source;
    list.reserve(entityCount);
    const tenantNumber = source.tenantNames.indexOf(tenant);
    for (;;) {
      const start = list.filled.get(tenantNumber) ?? 0;
      if (start >= entityCount) return entityCount;
      const end = Math.min(entityCount, start + ENTITIES_A_STEP);
      this.#fillStretch(list, { source, tenantNumber, table, start, end });
      list.filled.set(tenantNumber, end);
      if (table.count > this.#entitiesMax) throw tooManyEntities(this.#entitiesMax);
      if (pace.isTurnOver) await pace.nextTurn();
    }
  }

  #fillStretch(
    list: NumberList,
    stretch: {
      readonly source: RunSource;
      readonly tenantNumber: number;
      readonly table: EntityTable;
      readonly start: number;
      readonly end: number;
    },
  ): void {
    const { source, tenantNumber, table } = stretch;
    const { entityTenants, entityHashes, entityNames, entityNameEnds } = source;
    const { numbers } = list;
    const [seedA, seedB] = this.#seeds;
    for (let entity = stretch.start; entity < stretch.end; entity++) {
      if (entityTenants[entity] !== tenantNumber) continue;
      const from = entity === 0 ? 0 : (entityNameEnds[entity - 1] as number);
      const to = entityNameEnds[entity] as number;
      let a = seedA;
      let b = seedB;
      for (let i = from; i < to; i++) {
        const byte = entityNames[i] as number;
        a = Math.imul(a ^ byte, 0x5bd1e995);
        a ^= a >>> 15;
        b = Math.imul(b + byte, 0x27d4eb2f);
        b = (b << 13) | (b >>> 19);
      }
      numbers[entity] = table.numberOf(entityHashes[entity] as number, a, b);
    }
  }
}

/** The numbers of one source's entities, as far as they were looked up. */
class NumberList {
  numbers = new Uint32Array(0);
  /** Tenant number to how many entities were gone through for that tenant. */
  readonly filled = new Map<number, number>();

  reserve(entities: number): void {
    if (entities <= this.numbers.length) return;
    const larger = new Uint32Array(this.numbers.length === 0 ? entities : entities * 2);
    larger.set(this.numbers);
    this.numbers = larger;
  }
}

function listOf(lists: RunCache<NumberList>, source: RunSource): NumberList {
  const list = lists.get(source) ?? new NumberList();
  list.reserve(source.entityCount);
  lists.set(source, list, list.numbers.byteLength);
  return list;
}

function tooManyEntities(limit: number) {
  return problem(
    'query_budget_exceeded',
    `More than ${limit} entities would have to be counted. Name an event_type and a shorter range, or an entity.`,
    { budget: 'entities', limit },
  );
}

/**
 * Hashes to numbers 0, 1, 2, ... in the order in which they first come. The slots are many small tables (open addressing, at most half full), so
 * that none is long in growing; runs have their entities in the order of their hashes and stay in one table for a while.
 */
class EntityTable {
  count = 0;
  #first = new Uint32Array(FIRST);
  #second = new Int32Array(FIRST);
  #third = new Int32Array(FIRST);
  readonly #slots = Array.from({ length: PARTS }, () =>
    new Int32Array(PART_SLOTS_FIRST).fill(EMPTY),
  );
  readonly #partCounts = new Uint32Array(PARTS);

  numberOf(first: number, second: number, third: number): number {
    const part = first >>> PART_SHIFT;
    const slots = this.#slots[part] as Int32Array;
    const mask = slots.length - 1;
    let slot = first & mask;
    for (;;) {
      const number = slots[slot] as number;
      if (number === EMPTY) break;
      if (
        this.#first[number] === first &&
        this.#second[number] === second &&
        this.#third[number] === third
      )
        return number;
      slot = (slot + 1) & mask;
    }
    const added = this.#add(first, second, third);
    slots[slot] = added;
    const partCount = (this.#partCounts[part] as number) + 1;
    this.#partCounts[part] = partCount;
    if (partCount * 2 > slots.length) this.#growPart(part);
    return added;
  }

  #add(first: number, second: number, third: number): number {
    const number = this.count++;
    if (number === this.#first.length) {
      this.#first = grown(this.#first, new Uint32Array(number * 2));
      this.#second = grown(this.#second, new Int32Array(number * 2));
      this.#third = grown(this.#third, new Int32Array(number * 2));
    }
    this.#first[number] = first;
    this.#second[number] = second;
    this.#third[number] = third;
    return number;
  }

  #growPart(part: number): void {
    const before = this.#slots[part] as Int32Array;
    const slots = new Int32Array(before.length * 4).fill(EMPTY);
    const mask = slots.length - 1;
    for (const number of before) {
      if (number === EMPTY) continue;
      let slot = (this.#first[number] as number) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots[part] = slots;
  }
}

function grown<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
