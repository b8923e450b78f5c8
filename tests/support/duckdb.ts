/** DuckDB in this process, for tests that read files as another tool does. It is an optional dependency: 70 MB of binaries that not every platform has. */
import { isNativeError } from 'node:util/types';

/** Runs a query and gives the rows, every value as text. */
export type DuckDb = (sql: string) => Promise<(string | null)[][]>;

/** DuckDB, or in words why it is not there. */
export async function duckDb(): Promise<DuckDb | string> {
  try {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    return async (sql) => {
      const rows = (await connection.runAndReadAll(sql)).getRowsJson();
      return rows.map((row) => row.map((value) => value as string | null));
    };
  } catch (thrown) {
    return `DuckDB cannot be loaded: ${isNativeError(thrown) ? thrown.message : String(thrown)}`;
  }
}

/** A list of files as DuckDB's read_parquet takes it. */
export function parquetOf(paths: readonly string[]): string {
  return `read_parquet([${paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ')}])`;
}
