import { SandboxedFunction, SandboxFault } from '@allsource/sandbox';
import { LIMITS } from '@allsource/shared/limits';

/** A call of an upcaster that is a function. */
export interface FunctionCall {
  /** A function from payload to payload, or statements that declare one named `upcast`. */
  readonly source: string;
  /** JSON text. */
  readonly payload: string;
}

/** What a call came to: the JSON text of its result, or why there is none. */
export type FunctionAnswer = { readonly text: string } | { readonly fault: string };

const FUNCTION_NAME = 'upcast';

/**
 * Calls functions in the sandbox, and keeps those that were called last. For a thread of its own: a call holds its thread for as long as its steps last, some
 * tens of milliseconds at most.
 */
export class LoadedFunctions {
  /** By source, the one called longest ago first. */
  readonly #loaded = new Map<string, SandboxedFunction>();

  async call({ source, payload }: FunctionCall): Promise<FunctionAnswer> {
    try {
      const loaded = await this.#load(source);
      return { text: loaded.call(payload) };
    } catch (error) {
      if (error instanceof SandboxFault) return { fault: error.message };
      throw error;
    }
  }

  async #load(source: string): Promise<SandboxedFunction> {
    const known = this.#loaded.get(source);
    if (known !== undefined) {
      this.#loaded.delete(source);
      this.#loaded.set(source, known);
      return known;
    }
    const loaded = await SandboxedFunction.load({ source, name: FUNCTION_NAME });
    this.#loaded.set(source, loaded);
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= LIMITS.loadedUpcastersMax) break;
      this.#loaded.delete(oldest);
    }
    return loaded;
  }
}
