/**
 * An instance of QuickJS, an interpreter of JavaScript written in C and compiled to WebAssembly, in a memory of its own.
 *
 * Promise: what runs in it reaches nothing but its own memory. WebAssembly has no other memory, no files and no network; all that this module could ask of its
 * host are the functions that it imports, and once it is sealed each of them ends the run. Its steps are counted ({@link meteredWasm}), its memory never grows
 * and its stack is limited, so it always comes to an end.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { assert } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import { MemoryImage } from './memory-image.ts';
import { meteredWasm, STEPS_EXPORT, VARIABLE_EXPORT_PREFIX } from './metered-wasm.ts';
import { SandboxFault } from './sandbox-fault.ts';
import {
  type WasmGlobal,
  type WasmImports,
  type WasmInstance,
  type WasmMemory,
  wasm,
} from './web-assembly.ts';

const WASM_PAGE_BYTES = 64 * 1024;
/** Of the stack of C: some 900 calls of a function by itself. The stack of the host, which holds the frames of WebAssembly, has room for twice as many. */
const STACK_BYTES = 160 * 1024;
const STEPS_WHILE_OPENING = 50_000_000;

let compiled: Promise<object> | null = null;

/** Compiled once for all instances of the process. */
function compiledModule(): Promise<object> {
  compiled ??= compileModule();
  return compiled;
}

async function compileModule(): Promise<object> {
  const file = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
  return wasm.compile(meteredWasm(await readFile(file)));
}

/** One instance with one context. Its time is counted from {@link setSteps} on. */
export class Interpreter {
  readonly context: QuickJSContext;
  readonly #memory: WasmMemory;
  readonly #instance: WasmInstance;
  readonly #seal: { closed: boolean };

  private constructor(parts: {
    readonly context: QuickJSContext;
    readonly memory: WasmMemory;
    readonly instance: WasmInstance;
    readonly seal: { closed: boolean };
  }) {
    this.context = parts.context;
    this.#memory = parts.memory;
    this.#instance = parts.instance;
    this.#seal = parts.seal;
  }

  static async open(): Promise<Interpreter> {
    const module = await compiledModule();
    const pages = LIMITS.sandboxMemoryBytes / WASM_PAGE_BYTES;
    const memory = new wasm.Memory({ initial: pages, maximum: pages });
    const seal = { closed: false };
    let instance: WasmInstance | null = null;
    const emscriptenModule = {
      instantiateWasm(
        imports: WasmImports,
        onSuccess: (made: WasmInstance) => void,
      ): WasmInstance['exports'] {
        instance = new wasm.Instance(module, sealable(imports, seal));
        onSuccess(instance);
        return instance.exports;
      },
    };
    // Its types are those of a CommonJS module, but as an ES module it exports the variant itself.
    const release = variant as unknown as QuickJSSyncVariant;
    const quickJs = await newQuickJSWASMModuleFromVariant(
      newVariant(release, { wasmMemory: memory, emscriptenModule }),
    );
    assert(instance !== null, 'the interpreter is made by the instantiation given');
    const runtime = quickJs.newRuntime();
    runtime.setMaxStackSize(STACK_BYTES);
    const context = runtime.newContext();
    const interpreter = new Interpreter({ context, memory, instance, seal });
    interpreter.setSteps(STEPS_WHILE_OPENING);
    return interpreter;
  }

  /** Steps that it may take from here on. */
  setSteps(steps: number): void {
    this.#global(STEPS_EXPORT).value = steps;
  }

  get hasStepsLeft(): boolean {
    return Number(this.#global(STEPS_EXPORT).value) >= 0;
  }

  /** From here on a call of anything outside ends the run with a {@link SandboxFault}, and the memory is what the image holds. */
  seal(): MemoryImage {
    this.#seal.closed = true;
    const names = Object.keys(this.#instance.exports);
    const variables = names.filter((name) => name.startsWith(VARIABLE_EXPORT_PREFIX));
    return new MemoryImage(
      this.#memory,
      variables.map((name) => this.#global(name)),
    );
  }

  #global(name: string): WasmGlobal {
    const exported = this.#instance.exports[name];
    assert(exported instanceof wasm.Global, `the rewritten module exports ${name}`);
    return exported;
  }
}

/** The functions that the module imports, each of which throws once the seal is closed. The interpreter cannot catch what the host throws. */
function sealable(imports: WasmImports, seal: { readonly closed: boolean }): WasmImports {
  const spaces = Object.entries(imports).map(([space, values]) => {
    const guarded = Object.entries(values).map(([name, value]) => [name, guard(value, seal)]);
    return [space, Object.fromEntries(guarded)];
  });
  return Object.fromEntries(spaces);
}

function guard(value: unknown, seal: { readonly closed: boolean }): unknown {
  if (typeof value !== 'function') return value;
  const call = value as (...args: unknown[]) => unknown;
  // Emscripten's function for more memory is the only one that names it.
  const isGrowth = String(call).includes('.grow(');
  return (...args: unknown[]) => {
    if (isGrowth) throw memoryFault();
    if (seal.closed) throw outsideFault();
    return call(...args);
  };
}

function memoryFault(): SandboxFault {
  const allowed = `${LIMITS.sandboxMemoryBytes / (1024 * 1024)} MiB`;
  return new SandboxFault(
    'memory',
    `it needs more memory than a function may have (${allowed}, of which 6 are the interpreter's)`,
  );
}

function outsideFault(): SandboxFault {
  return new SandboxFault(
    'outside',
    'it asked for the time or the local time zone, which differ from run to run; use the times of the event and the UTC functions of Date',
  );
}
