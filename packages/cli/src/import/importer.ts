/**
 * Sends the lines of a source to the store, one batch after the other.
 *
 * Promise: events of the file are appended in the order of the file, so the history of every entity is that of the file. A run that ends early, for
 * whatever reason, on whichever side, is continued by the same command: what the store has is recognized by the keys of the batches (import-identity.ts),
 * and nothing is stored twice.
 *
 * There is never more than one batch under way, because two could be stored in the other order. While it is, the next one is read, checked and cut.
 *
 * A line that the server refuses is reported and left out, and the rest of its batch is sent again. A batch over a limit of the server is sent in halves, each
 * under a key of its own. Anything else (no answer, no permission, a full disk) ends the run.
 */
import { type AllSourceClient, AllSourceError } from '@allsource/client/tools';
import type { BatchCutter, CheckedLine, LineBatch } from './batch-cutter.ts';
import type { ImportIdentity } from './import-identity.ts';
import type { ImportReport } from './import-report.ts';
import type { ImportSource } from './import-source.ts';
import type { LineSplitter } from './line-splitter.ts';

export interface ImporterOptions {
  readonly client: AllSourceClient;
  readonly source: ImportSource;
  readonly splitter: LineSplitter;
  readonly cutter: BatchCutter;
  readonly identity: ImportIdentity;
  readonly report: ImportReport;
  readonly signal: AbortSignal;
  /** Called after each batch. */
  readonly onProgress: () => void;
}

/** What is sent in one request. */
interface Portion {
  readonly lines: readonly CheckedLine[];
  readonly key: string;
  readonly tenant: string | null;
}

export class Importer {
  readonly #options: ImporterOptions;
  #hasAppended = false;

  constructor(options: ImporterOptions) {
    this.#options = options;
  }

  /** Imports everything. Throws when it cannot go on; the report then tells how far it came. */
  async run(): Promise<void> {
    const { identity, onProgress, source } = this.#options;
    try {
      for await (const batch of oneAhead(this.#batches())) {
        await this.#import(batch, identity.keyOf(batch));
        onProgress();
      }
    } finally {
      source.close();
    }
  }

  async *#batches(): AsyncGenerator<LineBatch, void, undefined> {
    const { source, splitter, cutter } = this.#options;
    for await (const chunk of source.chunks()) {
      for (const line of splitter.push(chunk)) {
        const batch = cutter.push(line);
        if (batch !== null) yield batch;
      }
    }
    for (const line of splitter.end()) {
      const batch = cutter.push(line);
      if (batch !== null) yield batch;
    }
    const last = cutter.end();
    if (last !== null) yield last;
  }

  async #import(batch: LineBatch, key: string): Promise<void> {
    const { report } = this.#options;
    const events: CheckedLine[] = [];
    for (const checked of batch.lines) {
      if (checked.check.kind === 'event') events.push(checked);
      else if (checked.check.kind === 'blank') report.blankLines++;
      else report.refuse(checked.line, checked.check.code, checked.check.reason);
    }
    await this.#send({ lines: events, key, tenant: batch.tenant });
    report.linesRead += batch.lines.length;
    for (const { line } of batch.lines) report.bytesRead += line.bytes.length + 1;
  }

  async #send(portion: Portion): Promise<void> {
    let { lines } = portion;
    while (lines.length > 0) {
      try {
        await this.#append(lines, portion.key);
        return;
      } catch (error) {
        if (!(error instanceof AllSourceError)) throw error;
        if (isOverLimit(error) && lines.length > 1) {
          await this.#sendHalves({ ...portion, lines });
          return;
        }
        lines = this.#withoutRefused({ ...portion, lines }, error);
      }
    }
  }

  async #append(lines: readonly CheckedLine[], idempotencyKey: string): Promise<void> {
    const { client, report, signal } = this.#options;
    const events = lines.map(({ line }) => ({ json: line.bytes }));
    const { isReplayed } = await client.appendBatch(events, { idempotencyKey, signal });
    // Behind a batch that this run has stored, no earlier run has been: a replayed answer is then the answer to a try of this run
    // whose first answer was lost.
    if (isReplayed && !this.#hasAppended) report.alreadyThere += lines.length;
    else {
      report.appended += lines.length;
      this.#hasAppended = true;
    }
  }

  async #sendHalves({ lines, key, tenant }: Portion): Promise<void> {
    const middle = Math.ceil(lines.length / 2);
    for (const half of [lines.slice(0, middle), lines.slice(middle)]) {
      const place = `${half[0]?.line.number}-${half.at(-1)?.line.number}`;
      await this.#send({ lines: half, key: `${key.split('/')[0]}/${place}`, tenant });
    }
  }

  /** Reports what the server refuses and returns the rest. Throws the error when it is not about lines. */
  #withoutRefused(portion: Portion, error: AllSourceError): readonly CheckedLine[] {
    const { report } = this.#options;
    const { lines } = portion;
    if (error.code === 'idempotency_key_reused') {
      report.storedDifferently += lines.length;
      return [];
    }
    if (error.code === 'tenant_not_found' && portion.tenant !== null) {
      for (const { line } of lines) report.refuse(line, error.code, error.message);
      return [];
    }
    const index = refusedIndex(error, lines.length);
    const refused = index === null ? undefined : lines[index];
    if (refused === undefined) throw error;
    report.refuse(refused.line, error.code, withoutBatchWords(error.message));
    return lines.filter((line) => line !== refused);
  }
}

const REFUSAL_STATUS = new Set([400, 409, 413, 422]);

/** Which event of a request the server refuses; null when it is not about one event. */
function refusedIndex(error: AllSourceError, eventCount: number): number | null {
  if (error.status === null || !REFUSAL_STATUS.has(error.status)) return null;
  const index = error.problem?.['index'];
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < eventCount)
    return index;
  return eventCount === 1 ? 0 : null;
}

function isOverLimit(error: AllSourceError): boolean {
  return error.status === 413 && typeof error.problem?.['index'] !== 'number';
}

// The report names the line of the file; the place in a batch means nothing to its reader.
function withoutBatchWords(message: string): string {
  return message.replace(/ \(event \d+ of the batch; nothing of it was stored\)$/, '');
}

/** Asks for the next element while the last one is still in use. */
async function* oneAhead<T>(
  source: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  let next = source.next();
  for (;;) {
    const current = await next;
    if (current.done === true) return;
    next = source.next();
    // A failure is thrown when it is awaited, in the next round; a run that ends before has a failure of its own to tell.
    next.catch(() => undefined);
    yield current.value;
  }
}
