import { problem } from '@allsource/shared/errors';
import { compileProjection } from '../kinds/compile-projection.ts';
import type { CompiledProjection, JsonValue } from '../kinds/compiled-projection.ts';
import type { BuildSpec } from './build-spec.ts';

export type Merger = Pick<CompiledProjection, 'merge' | 'present'>;

/**
 * Puts states of several workers together for readers. Only where that runs no code of the owner: with code no key is of several workers. What it needs is made ready in the background;
 * until then it throws `starting`.
 */
class LazyMerger implements Merger {
  #compiled: Merger | null = null;

  constructor(spec: BuildSpec) {
    void this.#compile(spec);
  }

  merge(key: string, states: readonly JsonValue[]): JsonValue {
    return this.#ready.merge(key, states);
  }

  present(key: string, state: JsonValue): JsonValue | null {
    return this.#ready.present(key, state);
  }

  async #compile({ computed }: BuildSpec): Promise<void> {
    try {
      this.#compiled = await compileProjection(computed);
    } catch {
      // Its workers refuse it too, with the reason.
    }
  }

  get #ready(): Merger {
    if (this.#compiled !== null) return this.#compiled;
    throw problem('starting', 'The projection is being opened. Try again shortly.');
  }
}

/** What puts the states of a build's workers together; null where no key is of several. */
export function mergerOf(spec: BuildSpec): Merger | null {
  return spec.workers === 1 || spec.computed.type === 'custom' ? null : new LazyMerger(spec);
}
