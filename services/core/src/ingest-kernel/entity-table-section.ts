/**
 * The kernel's entity table in a checkpoint: the key of its hash; then its segments without their free slots, as kernel/assembly/entity-table.ts draws them:
 * slot 0, then for each entity 32 bytes of hash A, hash B, version and position; then an empty part, which says that all segments are there.
 *
 * The copy is taken segment by segment while appends go on, so its slots are as they were placed at different moments at or behind the checkpoint's
 * position. That is made good by the replay: each event that was placed since lies behind that position, and folding it puts its entity to what the
 * event says. A slot that a split has moved since is copied again with its segment, which comes later; the later one counts.
 */
import { assert } from '@allsource/shared/lang';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import { INPUT, type KernelMemory } from './kernel-memory.ts';

const PAGE_BYTES = 65_536;
const KEY_BYTES = 16;
/** Copying four pages takes about 0.1 ms. */
const PAGES_AT_ONCE = 4;

export class EntityTableSection implements CheckpointSection {
  readonly sectionName = 'entities/1';
  readonly #memory: KernelMemory;
  #hashKey: Buffer;
  #isKeyLoaded = false;

  constructor(memory: KernelMemory, hashKey: Buffer) {
    this.#memory = memory;
    this.#hashKey = hashKey;
  }

  *save(): Generator<Buffer> {
    const { exports, answerAt } = this.#memory;
    const hashKey = this.#hashKey;
    yield hashKey;
    const room = Math.floor((exports.segmentsAt() - answerAt) / PAGE_BYTES);
    const step = Math.min(PAGES_AT_ONCE, room);
    for (let first = 0; first < exports.segmentCount(); first += step) {
      const end = Math.min(first + step, exports.segmentCount());
      yield this.#memory.copy(answerAt, exports.copySegments(first, end));
    }
    yield Buffer.alloc(0);
  }

  load(part: Buffer): void {
    if (!this.#isKeyLoaded) this.#begin(part);
    else if (part.length > 0) this.#loadSegments(part);
    else assert(this.#memory.exports.endLoading() !== 0, 'all segments are there');
  }

  #begin(key: Buffer): void {
    const { exports } = this.#memory;
    assert(key.length === KEY_BYTES, 'a hash key');
    assert(exports.entityCount() === 0, 'a table is loaded while it is empty');
    exports.setHashKey(key.readBigUInt64LE(0), key.readBigUInt64LE(8));
    exports.beginLoading();
    this.#hashKey = Buffer.from(key);
    this.#isKeyLoaded = true;
  }

  #loadSegments(segments: Buffer): void {
    const { exports, eventTable } = this.#memory;
    assert(segments.length <= eventTable - INPUT, 'a part within the limit');
    this.#memory.bytes.set(segments, INPUT);
    assert(exports.loadSegments(segments.length) !== 0, 'segments that make sense, and memory');
  }
}
