import type { AccessSink } from '@allsource/service-kit/access';
import type { SchemaFold } from '@allsource/schemas/registry';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { DefinitionDirectory } from './definition-directory.ts';

/** What is folded in memory from the system frames of the log: keys and tenants, schemas, and the definitions. One feed fills all. */
export class SystemFolds implements FrameSink {
  readonly #access: AccessSink;
  readonly #definitions: DefinitionDirectory;
  readonly #schemas: SchemaFold;

  constructor(folds: {
    readonly access: AccessSink;
    readonly definitions: DefinitionDirectory;
    readonly schemas: SchemaFold;
  }) {
    this.#access = folds.access;
    this.#definitions = folds.definitions;
    this.#schemas = folds.schemas;
  }

  get appliedPosition(): Position {
    return this.#access.appliedPosition;
  }

  get logId(): string | null {
    return this.#access.logId;
  }

  apply(frames: readonly Frame[], logId: string): void {
    for (const frame of frames) {
      this.#definitions.apply(frame);
      this.#schemas.apply(frame);
    }
    this.#access.apply(frames, logId);
  }

  advance(position: Position, logId: string): void {
    this.#access.advance(position, logId);
  }

  reset(): void {
    this.#definitions.clear();
    this.#schemas.clear();
    this.#access.reset();
  }
}
