/**
 * Looks up core's head where core posts it in memory (shared/protocol/head-post.ts), for a reader on core's machine.
 *
 * Promise: a head that `read` returns lies at or beyond every event that anybody had been told of before the call. Else null, and core is to be asked.
 *
 * Argument. Core posts a head before it tells anybody of it, so the post of the run that is core now is never behind. It is that run's post when
 * - it carries the writer that core itself has named, in an answer to a question;
 * - it lies in a file system in memory, where all processes of a machine see one copy (a copy on a network drive may be old);
 * - its file had its name a moment ago. A later run of core writes into the file of that name before it takes an append, and that changes the writer. Should it find none (somebody has removed it), it makes
 *   one and waits until every reader has looked again whether his has a name;
 * - core has written it within the last second. This only bounds what the others leave: a core that has gone, and whose log goes on elsewhere.
 * A record that is read while it is written does not match its checksum.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Position } from '@allsource/shared/model';
import { decodeHeadPost, HEAD_POST, headPostName, machineMs } from '@allsource/shared/protocol';

/** Types of file systems in memory: tmpfs, ramfs. */
const IN_MEMORY = new Set([0x01_02_19_94, 0x85_84_58_f6]);
const TRIES = 3;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

export class PostedHead {
  readonly #record = Buffer.alloc(HEAD_POST.bytes);
  #descriptor: number | null = null;
  #writer: Buffer | null = null;
  /** When the file was last seen to have its name, by the machine's clock. */
  #namedAtMs = Number.NEGATIVE_INFINITY;

  /** Takes core's word for where its head is posted: by whom, null for nowhere. */
  follow(logId: string, writerHex: string | null): void {
    const writer = writerHex === null ? null : Buffer.from(writerHex, 'hex');
    // What could not be used once is not tried again until core has another run.
    if (writer !== null && this.#writer?.equals(writer) === true) return;
    this.close();
    this.#writer = writer;
    if (writer !== null) this.#descriptor = openPost(logId);
    this.#namedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Core's head at this moment; null when core is to be asked. */
  read(): Position | null {
    const descriptor = this.#descriptor;
    const writer = this.#writer;
    if (descriptor === null || writer === null) return null;
    const nowMs = machineMs();
    if (nowMs - this.#namedAtMs >= HEAD_POST.namedMs) {
      if (fstatSync(descriptor).nlink === 0) {
        this.close();
        return null;
      }
      this.#namedAtMs = nowMs;
    }
    for (let tried = 0; tried < TRIES; tried += 1) {
      const bytes = readSync(descriptor, this.#record, 0, HEAD_POST.bytes, 0);
      const record = decodeHeadPost(this.#record.subarray(0, bytes));
      if (record === null) continue;
      const ageMs = nowMs - record.writtenMs;
      const isNew = ageMs > -HEAD_POST.validMs && ageMs < HEAD_POST.validMs;
      return isNew && record.writer.equals(writer) ? record.head : null;
    }
    return null;
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

function openPost(logId: string): number | null {
  const path = join(HEAD_POST.folder, headPostName(logId));
  try {
    if (!IN_MEMORY.has(statfsSync(HEAD_POST.folder).type)) return null;
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    // Another machine's, another container's, or another user's.
    return null;
  }
}
