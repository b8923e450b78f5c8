/** The rows of each entity of a block. */
export interface EntityRows {
  /** Entity number to the first of its rows in `rows`, and one more. */
  readonly starts: Uint32Array;
  /** The rows, those of an entity side by side and ascending. */
  readonly rows: Uint32Array;
}

/** Groups rows by entity: a counting sort of the column of entities. */
export function groupRows(entities: Uint32Array, entityCount: number): EntityRows {
  const starts = new Uint32Array(entityCount + 1);
  for (let row = 0; row < entities.length; row++) {
    const after = (entities[row] as number) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let i = 1; i <= entityCount; i++)
    starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  const next = starts.slice();
  const rows = new Uint32Array(entities.length);
  for (let row = 0; row < entities.length; row++) {
    const entity = entities[row] as number;
    const place = next[entity] as number;
    rows[place] = row;
    next[entity] = place + 1;
  }
  return { starts, rows };
}
