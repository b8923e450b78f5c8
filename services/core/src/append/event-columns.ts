/** Events as columns: how a record batch reaches the append path, whatever format it came in. */

/** Texts, one a row. Row `i` has the value `keys[i]`, or `i` where there are no keys; value `v` is the bytes from `offsets[v]` to `offsets[v + 1]`. */
export interface TextColumn {
  readonly values: Uint8Array;
  readonly offsets: Int32Array;
  /** For a dictionary: which value each row has. */
  readonly keys: ArrayLike<number> | null;
  /** Bit `i`, from the lowest of the first byte on, is 1 when row `i` has a value; null when all rows have. */
  readonly validity: Uint8Array | null;
}

export interface EventColumns {
  readonly rows: number;
  readonly type: TextColumn;
  readonly entity: TextColumn;
  /** JSON documents. */
  readonly payload: TextColumn;
  /** JSON documents; a row without a value has no metadata. */
  readonly metadata: TextColumn | null;
  /** Microseconds since 1970; NaN: the client gives none. */
  readonly timestamp: Float64Array | null;
  /** NaN: any version. */
  readonly expectedVersion: Float64Array | null;
}

export function isValid({ validity }: TextColumn, row: number): boolean {
  return validity === null || (((validity[row >> 3] as number) >> (row & 7)) & 1) === 1;
}

/** The bytes of a row's text. */
export function textAt({ values, offsets, keys }: TextColumn, row: number): Uint8Array {
  const value = keys === null ? row : (keys[row] as number);
  return values.subarray(offsets[value], offsets[value + 1]);
}
