/** The part of the WebAssembly interface that is needed; it is no part of the language's types, nor of Node's. */

export interface WasmGlobal {
  value: unknown;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** Functions by name, in spaces. */
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface WebAssemblyInterface {
  compile(bytes: Uint8Array): Promise<object>;
  readonly Instance: new (module: object, imports: WasmImports) => WasmInstance;
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => WasmMemory;
  readonly Global: abstract new () => WasmGlobal;
}

export const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: WebAssemblyInterface;
};
