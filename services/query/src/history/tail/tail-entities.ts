import { must } from '@allsource/shared/lang';
import { soughtEntity } from '../entity-hash.ts';
import { type HashedName, NameTable } from '../name-table.ts';

const NO_ROW = -1;

/**
 * The entities of a tail: their numbers, and for each the chain of its rows. A row points to the row before it of the same entity, so
 * adding one writes two integers.
 */
export class TailEntities {
  /** The owner of a name is its tenant number. */
  readonly names = new NameTable();
  #partitions: Uint32Array;
  #lastRows: Int32Array;
  #rowCounts: Uint32Array;
  #previousRows: Int32Array;

  constructor(rows: number) {
    this.#partitions = new Uint32Array(rows);
    this.#lastRows = new Int32Array(rows);
    this.#rowCounts = new Uint32Array(rows);
    this.#previousRows = new Int32Array(rows);
  }

  /** Makes room for `rows` rows. There are never more entities than rows. */
  reserveRows(rows: number): void {
    this.#previousRows = grown(this.#previousRows, new Int32Array(rows));
    this.#partitions = grown(this.#partitions, new Uint32Array(rows));
    this.#lastRows = grown(this.#lastRows, new Int32Array(rows));
    this.#rowCounts = grown(this.#rowCounts, new Uint32Array(rows));
  }

  /** Adds the next row to an entity. `partition` counts when the entity is new. Returns the entity's number. */
  addRow(name: HashedName, row: number, partition: number): number {
    const known = this.names.count;
    const entity = this.names.numberOf(name);
    if (entity === known) {
      this.#partitions[entity] = partition;
      this.#lastRows[entity] = NO_ROW;
    }
    this.#previousRows[row] = this.#lastRows[entity] as number;
    this.#lastRows[entity] = row;
    this.#rowCounts[entity] = (this.#rowCounts[entity] as number) + 1;
    return entity;
  }

  /** Number to partition. */
  get partitions(): Uint32Array {
    return this.#partitions;
  }

  partition(entity: number): number {
    return must(this.#partitions[entity], 'an entity of the tail');
  }

  /** The number of an entity; -1 when there is none. */
  find(tenant: { readonly number: number; readonly name: string }, entity: string): number {
    return this.names.find({ ...soughtEntity(tenant.name, entity), owner: tenant.number });
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
