import { must } from '@allsource/shared/lang';

const ROWS_FIRST = 1024;
const NO_ROW = -1;

/**
 * The entities of a tail: their numbers, and for each the chain of its rows. A row points to the row before it of the same entity, so
 * adding one writes two integers.
 */
export class TailEntities {
  tenants = new Uint32Array(ROWS_FIRST);
  #partitions = new Uint32Array(ROWS_FIRST);
  #lastRows = new Int32Array(ROWS_FIRST);
  #rowCounts = new Uint32Array(ROWS_FIRST);
  #previousRows = new Int32Array(ROWS_FIRST);
  readonly #names: string[] = [];
  /** For each tenant number: entity id to entity number. */
  readonly #numbers: Map<string, number>[] = [];

  get count(): number {
    return this.#names.length;
  }

  /** Makes room for `rows` rows. There are never more entities than rows. */
  reserveRows(rows: number): void {
    this.#previousRows = grown(this.#previousRows, new Int32Array(rows));
  }

  /** The number of an entity. `partition` counts when the entity is new. */
  numberOf(tenant: number, name: string, partition: number): number {
    const numbers = (this.#numbers[tenant] ??= new Map());
    const known = numbers.get(name);
    if (known !== undefined) return known;
    const entity = this.#names.push(name) - 1;
    numbers.set(name, entity);
    if (entity >= this.tenants.length) this.#growEntities();
    this.tenants[entity] = tenant;
    this.#partitions[entity] = partition;
    this.#lastRows[entity] = NO_ROW;
    return entity;
  }

  #growEntities(): void {
    const capacity = this.tenants.length * 2;
    this.tenants = grown(this.tenants, new Uint32Array(capacity));
    this.#partitions = grown(this.#partitions, new Uint32Array(capacity));
    this.#lastRows = grown(this.#lastRows, new Int32Array(capacity));
    this.#rowCounts = grown(this.#rowCounts, new Uint32Array(capacity));
  }

  /** Adds the next row to an entity. */
  addRow(entity: number, row: number): void {
    this.#previousRows[row] = this.#lastRows[entity] as number;
    this.#lastRows[entity] = row;
    (this.#rowCounts[entity] as number)++;
  }

  name(entity: number): string {
    return must(this.#names[entity], 'an entity of the tail');
  }

  partition(entity: number): number {
    return must(this.#partitions[entity], 'an entity of the tail');
  }

  /** The number of an entity of a tenant number; -1 when there is none. */
  find(tenant: number, name: string): number {
    return this.#numbers[tenant]?.get(name) ?? -1;
  }

  /** The rows of an entity, ascending. */
  rows(entity: number): Uint32Array {
    const rows = new Uint32Array(this.#rowCounts[entity] as number);
    let row = this.#lastRows[entity] as number;
    for (let i = rows.length - 1; i >= 0; i--) {
      rows[i] = row;
      row = this.#previousRows[row] as number;
    }
    return rows;
  }
}

function grown<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
