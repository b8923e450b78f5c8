import type { ExportedLines } from '@allsource/client/tools';
import type { ByteTarget, ExportWriter } from './export-writer.ts';

/** NDJSON, as it came: the lines are what `allsource import` takes. */
export class NdjsonWriter implements ExportWriter<ExportedLines> {
  readonly #target: ByteTarget;

  constructor(target: ByteTarget) {
    this.#target = target;
  }

  async write({ bytes }: ExportedLines): Promise<void> {
    await this.#target.write(bytes);
  }

  async end(): Promise<void> {
    // The last line has its line feed.
  }
}
