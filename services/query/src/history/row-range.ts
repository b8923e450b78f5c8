/** 0, 1, 2, ...: shared by all who ask, and never changed. */
let allRows = new Uint32Array(0);

/** The rows from `from` to before `end`. Nobody changes them. */
export function rowRange(from: number, end: number): Uint32Array {
  if (allRows.length < end) {
    allRows = new Uint32Array(end * 2);
    for (let row = 0; row < allRows.length; row++) allRows[row] = row;
  }
  return allRows.subarray(from, end);
}
