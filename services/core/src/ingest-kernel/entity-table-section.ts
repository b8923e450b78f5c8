/**
 * The kernel's entity table in a checkpoint: the key of its hash, then its slots, 32 bytes each: hash A, hash B, version, position.
 *
 * The copy is taken segment by segment while appends go on, so its slots are as they were placed at different moments at or behind the checkpoint's
 * position. That is made good by the replay: each event that was placed since lies behind that position, and folding it puts its entity to what the
 * event says. A slot that a split has moved since is copied again with its segment, which comes later; the later one counts.
 */
import { assert } from '@allsource/shared/lang';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import { INPUT, type KernelMemory } from './kernel-memory.ts';

const PAGE_BYTES = 65_536;
const SLOT_BYTES = 32;
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
    yield this.#hashKey;
    const { exports, answerAt } = this.#memory;
    const room = Math.floor((exports.segmentsAt() - answerAt) / PAGE_BYTES);
    const step = Math.min(PAGES_AT_ONCE, room);
    for (let first = 0; first < exports.segmentCount(); first += step) {
      const end = Math.min(first + step, exports.segmentCount());
      yield this.#memory.copy(answerAt, exports.copyEntities(first, end));
    }
  }

  load(part: Buffer): void {
    if (this.#isKeyLoaded) this.#add(part);
    else this.#useKey(part);
  }

  #useKey(key: Buffer): void {
    const { exports } = this.#memory;
    assert(key.length === KEY_BYTES, 'a hash key');
    assert(exports.entityCount() === 0, 'a table is loaded while it is empty');
    exports.setHashKey(key.readBigUInt64LE(0), key.readBigUInt64LE(8));
    this.#hashKey = Buffer.from(key);
    this.#isKeyLoaded = true;
  }

  #add(slots: Buffer): void {
    assert(slots.length % SLOT_BYTES === 0, 'whole slots');
    const { exports, eventTable } = this.#memory;
    const room = eventTable - INPUT;
    for (let at = 0; at < slots.length; at += room) {
      const step = slots.subarray(at, at + room);
      this.#memory.bytes.set(step, INPUT);
      assert(exports.addEntities(step.length) !== 0, 'the entity table has memory left');
    }
  }
}
