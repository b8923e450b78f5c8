/**
 * Cuts a stream of bytes into groups of whole lines. Where it cuts depends on the bytes and the limits alone, never on how the bytes arrived or how
 * fast: the same stream sent again gives the same groups, which the keys of a resumed import rest on (I-6).
 *
 * A group ends with its `linesMax`-th line, or before the line that would bring it over `bytesMax`; a longer line is a group of its own. A line
 * that is longer than `lineBytesMax` is refused as soon as that is known, so that what is held is bounded by a group and a line.
 */
import { type Problem, problem } from '@allsource/shared/errors';
import type { LineGroup } from './commit-builder.ts';

const LINE_FEED = 0x0a;

export interface LineCutterOptions {
  readonly linesMax: number;
  readonly bytesMax: number;
  readonly lineBytesMax: number;
}

/** A group and where it stands in its stream; lines count from 1. */
export interface CutGroup extends LineGroup {
  readonly firstLine: number;
  readonly lastLine: number;
}

export class LineCutter {
  readonly #options: LineCutterOptions;
  /** The whole lines of the group that is being filled. */
  #parts: Buffer[] = [];
  #bytes = 0;
  #lines = 0;
  /** The beginning of the line behind them. */
  #open: Buffer[] = [];
  #openBytes = 0;
  #firstLine = 1;

  constructor(options: LineCutterOptions) {
    this.#options = options;
  }

  /** Takes the next bytes and gives the groups that are full with them. Throws `line_too_large`. */
  *push(chunk: Buffer): Generator<CutGroup> {
    const { linesMax, bytesMax } = this.#options;
    // In the chunk: where the lines that are not in #parts yet begin, and where the open line goes on.
    let from = 0;
    let at = 0;
    for (let feed = chunk.indexOf(LINE_FEED); feed !== -1; feed = chunk.indexOf(LINE_FEED, at)) {
      const lineBytes = this.#openBytes + feed + 1 - at;
      this.#requireShort(lineBytes - 1);
      if (this.#lines > 0 && this.#bytes + lineBytes > bytesMax) {
        this.#keep(chunk.subarray(from, at));
        from = at;
        yield this.#take(this.#lines);
      }
      this.#closeLine(lineBytes);
      at = feed + 1;
      if (this.#lines < linesMax) continue;
      this.#keep(chunk.subarray(from, at));
      from = at;
      yield this.#take(this.#lines);
    }
    this.#keep(chunk.subarray(from, at));
    this.#open.push(chunk.subarray(at));
    this.#openBytes += chunk.length - at;
    this.#requireShort(this.#openBytes);
  }

  /** Gives what is left when the stream has ended; its last line may have no line feed. */
  *end(): Generator<CutGroup> {
    if (this.#lines > 0 && this.#bytes + this.#openBytes > this.#options.bytesMax)
      yield this.#take(this.#lines);
    const feeds = this.#lines;
    if (this.#openBytes > 0) this.#closeLine(this.#openBytes);
    if (this.#lines > 0) yield this.#take(feeds);
  }

  #keep(part: Buffer): void {
    if (part.length > 0) this.#parts.push(part);
  }

  #closeLine(lineBytes: number): void {
    if (this.#openBytes > 0) this.#parts.push(...this.#open);
    this.#open = [];
    this.#openBytes = 0;
    this.#bytes += lineBytes;
    this.#lines++;
  }

  #take(lineFeeds: number): CutGroup {
    const firstLine = this.#firstLine;
    const lastLine = firstLine + this.#lines - 1;
    const group = { parts: this.#parts, lineFeeds, firstLine, lastLine };
    this.#parts = [];
    this.#bytes = 0;
    this.#lines = 0;
    this.#firstLine = lastLine + 1;
    return group;
  }

  #requireShort(bytes: number): void {
    const { lineBytesMax } = this.#options;
    if (bytes > lineBytesMax) throw lineTooLarge(this.#firstLine + this.#lines, lineBytesMax);
  }
}

function lineTooLarge(line: number, limit: number): Problem {
  return problem(
    'line_too_large',
    `Line ${line} is longer than ${limit} bytes; nothing of its group was stored. Put one event on each line.`,
    { line, limit_bytes: limit },
  );
}
