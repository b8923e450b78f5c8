import { SchemaFold } from '@allsource/schemas/registry';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';

/** The schemas and upcasters of all tenants, folded in memory from the system frames of the log. It begins empty at every start. */
export class SchemaSink implements FrameSink {
  readonly fold = new SchemaFold();
  #logId: string | null = null;

  get appliedPosition(): Position {
    return this.fold.appliedPosition;
  }

  get logId(): string | null {
    return this.#logId;
  }

  apply(frames: readonly Frame[], logId: string): void {
    for (const frame of frames) this.fold.apply(frame);
    this.#logId = logId;
  }

  advance(position: Position, logId: string): void {
    this.fold.advance(position);
    this.#logId = logId;
  }

  reset(): void {
    this.fold.clear();
    this.#logId = null;
  }
}
