/**
 * Finds out what a pipeline has put into the log already. A file of a pipeline that was lost or has fallen back (a power cut) is filled again from the log, and comes to the same
 * outputs under the same names; what the log holds of them must not be written twice. So before a pipeline writes anything, the log is searched up to its head
 * for events that bear the name of its run: from the first output on that may not have been settled.
 *
 * The mark of an event lies behind the event that it came of, so the search begins where the file stands, or at the oldest output that waits.
 */
import type { Database as Connection } from 'better-sqlite3';
import { createLogFollower, type FrameSink } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import { emittedTypes } from '../definition/output-definition.ts';
import { emissionMark } from './emission.ts';
import type { CoreAccess } from './host-protocol.ts';
import type { OutputId, PipelineFile } from './pipeline-file.ts';

/** How long one wait for the head takes; it is waited again while the search moves on. */
const WAIT_MS = 1_000;

export interface EmissionSearchOptions {
  readonly pipeline: Pipeline;
  readonly file: PipelineFile;
  readonly core: CoreAccess;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Searches the log up to its head and settles what is found. Throws when core cannot be asked. */
export async function searchEmissions(options: EmissionSearchOptions): Promise<void> {
  const { file, core, logger, signal } = options;
  const sink = new SearchSink(options, searchedFrom(file));
  const follower = createLogFollower({ ...core, sink, logger });
  follower.start();
  try {
    const head = await follower.coreHead();
    while (!(await follower.waitFor(head, WAIT_MS))) signal.throwIfAborted();
    sink.settle();
  } finally {
    await follower.close();
  }
}

function searchedFrom({ database, progress }: PipelineFile): Position {
  const oldest = database
    .prepare<[], { readonly position: number | null }>(
      `SELECT min(position) AS position FROM outbox WHERE kind = 'emit'`,
    )
    .get();
  return position(Math.min(oldest?.position ?? progress.position, progress.position));
}

/** Takes the frames of the log and keeps the marks of one run. */
class SearchSink implements FrameSink {
  readonly #database: Connection;
  readonly #file: PipelineFile;
  readonly #pipeline: Pipeline;
  readonly #tenant: Buffer;
  readonly #types: ReadonlySet<string>;
  readonly #run: Buffer;
  #found: OutputId[] = [];
  appliedPosition: Position;
  logId: string | null;

  constructor({ pipeline, file }: EmissionSearchOptions, from: Position) {
    this.#file = file;
    this.#database = file.database;
    this.#pipeline = pipeline;
    this.#tenant = Buffer.from(pipeline.tenant);
    this.#types = new Set(emittedTypes(pipeline.output));
    this.#run = Buffer.from(pipeline.run);
    // The log is read from the frame that holds the position; where that begins is not known.
    this.appliedPosition = position(0);
    this.logId = null;
    this.#startAt(from);
  }

  apply(frames: readonly Frame[], logId: string): void {
    for (const frame of frames) {
      if (!frame.isSystem && frame.tenantBytes.equals(this.#tenant)) this.#look(frame);
      this.appliedPosition = frame.lastPosition;
    }
    this.logId = logId;
    if (this.#found.length > 0) this.settle();
  }

  advance(to: Position, logId: string): void {
    this.appliedPosition = to;
    this.logId = logId;
  }

  /** Another log: what was found in the one before says nothing of it. */
  reset(): void {
    this.appliedPosition = position(0);
    this.logId = null;
    this.#found = [];
    this.#database.exec('DELETE FROM written');
  }

  /** Takes what was found out of the outbox, or remembers it until the operators come to it again. */
  settle(): void {
    const drop = this.#database.prepare<[number, number]>(
      `DELETE FROM outbox WHERE position = ? AND ordinal = ? AND kind = 'emit'`,
    );
    const keep = this.#database.prepare<[number, number]>(
      'INSERT INTO written VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    const count = this.#database.prepare<[number]>('UPDATE progress SET emitted = emitted + ?');
    const write = this.#database.transaction((found: readonly OutputId[]) => {
      for (const { position: at, ordinal } of found) {
        const isAhead = at > this.#file.progress.position;
        if (drop.run(at, ordinal).changes > 0) count.run(1);
        else if (isAhead && keep.run(at, ordinal).changes > 0) count.run(1);
      }
    });
    write.immediate(this.#found);
    this.#found = [];
    this.#file.refresh();
  }

  #look(frame: Frame): void {
    for (const event of frame.events()) {
      if (event.metadata?.includes(this.#run) !== true || !this.#types.has(event.type)) continue;
      const mark = emissionMark(event);
      if (mark !== null && mark.run === this.#pipeline.run && mark.id === this.#pipeline.id)
        this.#found.push({ position: mark.position, ordinal: mark.ordinal });
    }
  }

  #startAt(from: Position): void {
    this.appliedPosition = from;
    this.logId = this.#file.progress.logId;
  }
}
