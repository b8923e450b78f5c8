/**
 * Reads the log from its first frame and holds it against its laws: positions without gaps (I-2), versions without gaps for each entity (I-3), recorded_at that
 * never decreases (I-5), frames chained by checksum, and each idempotency key at most once (I-6). What breaks a law becomes a sentence in `faults`.
 */
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { CoreProcess } from './core-process.ts';

/** What the log holds under a key. */
export interface FoundCommit {
  readonly key: string;
  readonly position: number;
  readonly eventIds: readonly string[];
  readonly versions: readonly number[];
}

interface EntityEnd {
  readonly version: number;
  readonly position: number;
}

export class LogAudit {
  readonly faults: string[] = [];
  readonly commits = new Map<string, FoundCommit>();
  events = 0;
  recordedAt = 0;
  readonly #onCommit: (frame: Frame, key: string) => void;
  readonly #entities = new Map<string, EntityEnd>();
  #next = 1;
  #checksum = 0;

  /** `onCommit` sees each frame that has a key, to judge what is in it. */
  constructor(onCommit: (frame: Frame, key: string) => void = () => undefined) {
    this.#onCommit = onCommit;
  }

  /** Reads on from where the last call ended, to the head. */
  async read(core: CoreProcess): Promise<void> {
    for await (const frame of core.frames(this.#next)) this.#add(frame);
  }

  #add(frame: Frame): void {
    const at = `position ${frame.position}`;
    if (frame.position !== this.#next) this.faults.push(`${at} follows ${this.#next - 1}`);
    if (frame.previousChecksum !== this.#checksum) this.faults.push(`${at} breaks the chain`);
    if (frame.recordedAt < this.recordedAt)
      this.faults.push(`${at} is recorded before its predecessor`);
    for (const event of frame.events()) this.#addEvent(event);
    this.#next = frame.lastPosition + 1;
    this.#checksum = frame.checksum;
    this.recordedAt = frame.recordedAt;
    const key = frame.idempotency === null ? null : Buffer.from(frame.idempotency.key).toString();
    if (key !== null) this.#addCommit(frame, key);
  }

  #addEvent(event: FrameEvent): void {
    const { isSystem, tenant } = event.frame;
    const name = `${isSystem ? 'system' : 'events'}/${tenant}/${event.entity}`;
    const end = this.#entities.get(name) ?? { version: 0, position: 0 };
    if (event.version !== end.version + 1)
      this.faults.push(`${name} has version ${event.version} behind ${end.version}`);
    if (event.previousPosition !== end.position)
      this.faults.push(`${name} version ${event.version} points back to ${event.previousPosition}`);
    this.#entities.set(name, { version: event.version, position: event.position });
    if (!isSystem) this.events += 1;
  }

  #addCommit(frame: Frame, key: string): void {
    const first = this.commits.get(key);
    if (first !== undefined)
      this.faults.push(`key ${key} is stored at ${first.position} and at ${frame.position}`);
    const events = [...frame.events()];
    this.commits.set(key, {
      key,
      position: frame.position,
      eventIds: events.map(({ id }) => id),
      versions: events.map(({ version }) => version),
    });
    this.#onCommit(frame, key);
  }
}
