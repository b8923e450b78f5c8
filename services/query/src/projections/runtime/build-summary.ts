import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { readBuildProgress } from './build-progress.ts';
import { openBuildForReading } from './build-tables.ts';
import type { BuildSummary } from './host-protocol.ts';

const ROWS_A_TURN = 1_000;
const SAMPLE_MAX = 2_000;
const DIGEST_HEX = 16;

interface Row {
  readonly key: string;
  readonly state: string;
  readonly shown: string | null;
}

/**
 * Takes the summary of a file as it is at this moment, although its writer goes on: a read transaction of a connection of its own sees nothing that is written later. The rows are
 * gone through in turns.
 */
export class SummaryOfMoment {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** Holds the moment; null when there is no file to read. Every one is ended by `take`. */
  static hold(file: string): SummaryOfMoment | null {
    const database = openBuildForReading(file);
    if (database === null) return null;
    database.exec('BEGIN');
    // The moment is that of the first read.
    readBuildProgress(database);
    return new SummaryOfMoment(database);
  }

  /** Goes through the rows and lets the moment go. */
  async take(oneIn: number): Promise<BuildSummary> {
    try {
      const {
        folded: position,
        shownRows: rows,
        hasSharedKeys,
      } = readBuildProgress(this.#database);
      return { position, rows, hasSharedKeys, sample: await this.#sample(oneIn) };
    } finally {
      this.#database.close();
    }
  }

  async #sample(oneIn: number): Promise<BuildSummary['sample']> {
    const page = this.#database.prepare<[string, string | null, number], Row>(
      'SELECT key, state, shown FROM states WHERE key >= ? AND key IS NOT ? ORDER BY key LIMIT ?',
    );
    const sample: { key: string; digest: string }[] = [];
    let after: string | null = null;
    for (;;) {
      const rows: Row[] = page.all(after ?? '', after, ROWS_A_TURN);
      for (const row of rows) {
        const isTaken = row.shown !== '' && crc32(row.key) % oneIn === 0;
        if (isTaken && sample.length < SAMPLE_MAX)
          sample.push({ key: row.key, digest: digestOf(row.shown ?? row.state) });
      }
      const last = rows.at(-1);
      if (last === undefined) return sample;
      after = last.key;
      await nextTurn();
    }
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_HEX);
}
