/**
 * Rewrites a WebAssembly module so that it counts its own steps and stops when they are used up.
 *
 * Promise: no code of the rewritten module runs longer than its steps, whatever it does. A step is one round of a loop or one call of a
 * function; copying or filling memory costs one more for each 256 bytes. Since every computation without an end loops or calls, and what lies between
 * two steps is straight code, steps bound the time; and since nothing but the module's own memory decides them, the same start takes the same steps on each machine.
 *
 * How: a global, exported as {@link STEPS_EXPORT}, holds the steps that are left. Whoever calls sets it before. Below zero the code traps
 * (`unreachable`), which leaves the instance in the middle of something: it must be thrown away.
 *
 * An interrupt handler of an interpreter cannot promise this: it is asked between instructions of the program, not within a built-in
 * that runs through an array of four billion holes, multiplies large integers or searches a long text.
 */
import { assert, must } from '@allsource/shared/lang';
import { WasmBytes, WasmReader } from './wasm-bytes.ts';
import { skipInstruction, WASM_OPCODES as OP } from './wasm-instructions.ts';

/** The name under which the steps that are left are exported. */
export const STEPS_EXPORT = 'stepsLeft';
/** Begins the names under which the variables of the module are exported, so that they can be put back as they were. */
export const VARIABLE_EXPORT_PREFIX = 'variable:';

const SECTION = { type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 } as const;
const HEADER_BYTES = 8;
const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const BYTES_A_STEP_LOG2 = 8;
/** What the start of the module may take; a positive number of 32 bits with a sign, in its longest form. */
const STEPS_AT_START = 0x3fffffff;

interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

/** What the rewritten code refers to. */
interface Places {
  readonly steps: number;
  readonly copy: number;
  readonly fill: number;
}

/** The metered form of a module. Takes what Emscripten makes for a single thread without SIMD; anything else fails an assertion. */
export function meteredWasm(module: Uint8Array): Uint8Array {
  const sections = sectionsOf(module);
  const counts = countsOf(sections);
  const places: Places = {
    steps: counts.globals,
    copy: counts.functions,
    fill: counts.functions + 1,
  };
  const rewritten = sections.map(({ id, body }) => ({ id, body: rewrite(id, body) }));
  const out = new WasmBytes();
  out.bytes(module.subarray(0, HEADER_BYTES));
  for (const { id, body } of rewritten) out.byte(id).sized(body);
  return out.take();

  function rewrite(id: number, body: Uint8Array): Uint8Array {
    if (id === SECTION.type) return appended(body, [blockMoverType()]);
    if (id === SECTION.function) return appended(body, [index(counts.types), index(counts.types)]);
    if (id === SECTION.global) return appended(body, [stepsGlobal()]);
    if (id === SECTION.export) return appended(body, globalExports(counts, places));
    return id === SECTION.code ? meteredCode(body, places) : body;
  }
}

function sectionsOf(module: Uint8Array): Section[] {
  const reader = new WasmReader(module, HEADER_BYTES);
  const sections: Section[] = [];
  while (!reader.atEnd) {
    const id = reader.byte();
    sections.push({ id, body: reader.bytes(reader.unsigned()) });
  }
  return sections;
}

interface Counts {
  readonly types: number;
  readonly functions: number;
  readonly globals: number;
  /** Those that can change. */
  readonly variables: readonly number[];
}

function countsOf(sections: readonly Section[]): Counts {
  const lengthOf = (id: number): number => {
    const section = must(
      sections.find((one) => one.id === id),
      `a module with a section ${id}`,
    );
    return new WasmReader(section.body).unsigned();
  };
  const imports = must(
    sections.find(({ id }) => id === SECTION.import),
    'a module with imports',
  );
  return {
    types: lengthOf(SECTION.type),
    functions: importedFunctions(imports.body) + lengthOf(SECTION.function),
    globals: lengthOf(SECTION.global),
    variables: variablesOf(must(sections.find(({ id }) => id === SECTION.global)?.body, 'globals')),
  };
}

function variablesOf(body: Uint8Array): number[] {
  const reader = new WasmReader(body);
  const count = reader.unsigned();
  const variables: number[] = [];
  for (let global = 0; global < count; global++) {
    reader.byte();
    if (reader.byte() === 1) variables.push(global);
    while (skipInstruction(reader).opcode !== OP.end);
  }
  return variables;
}

function importedFunctions(body: Uint8Array): number {
  const reader = new WasmReader(body);
  let functions = 0;
  for (let left = reader.unsigned(); left > 0; left--) {
    reader.bytes(reader.unsigned());
    reader.bytes(reader.unsigned());
    const kind = reader.byte();
    assert(kind === 0 || kind === 2, `an import of a function or a memory, not of kind ${kind}`);
    if (kind === 2) skipLimits(reader);
    else reader.unsigned();
    if (kind === 0) functions += 1;
  }
  return functions;
}

function skipLimits(reader: WasmReader): void {
  const hasMaximum = (reader.byte() & 1) === 1;
  reader.unsigned();
  if (hasMaximum) reader.unsigned();
}

/** A vector with elements added at its end. */
function appended(body: Uint8Array, elements: readonly Uint8Array[]): Uint8Array {
  const reader = new WasmReader(body);
  const count = reader.unsigned();
  const out = new WasmBytes().unsigned(count + elements.length).bytes(reader.rest());
  for (const element of elements) out.bytes(element);
  return out.take();
}

function index(value: number): Uint8Array {
  return new WasmBytes().unsigned(value).take();
}

/** (target, source or value, length) -> (). */
function blockMoverType(): Uint8Array {
  return Uint8Array.of(FUNCTION_TYPE, 3, I32, I32, I32, 0);
}

function stepsGlobal(): Uint8Array {
  return new WasmBytes()
    .byte(I32)
    .byte(1)
    .byte(OP.i32Const)
    .unsigned(STEPS_AT_START)
    .byte(OP.end)
    .take();
}

function globalExports({ variables }: Counts, { steps }: Places): Uint8Array[] {
  const named = variables.map((global) => globalExport(VARIABLE_EXPORT_PREFIX + global, global));
  return [globalExport(STEPS_EXPORT, steps), ...named];
}

function globalExport(name: string, global: number): Uint8Array {
  return new WasmBytes().sized(Buffer.from(name)).byte(3).unsigned(global).take();
}

function meteredCode(body: Uint8Array, places: Places): Uint8Array {
  const reader = new WasmReader(body);
  const count = reader.unsigned();
  const out = new WasmBytes().unsigned(count + 2);
  for (let left = count; left > 0; left--)
    out.sized(meteredFunction(reader.bytes(reader.unsigned()), places));
  out.sized(blockMover([OP.bulk, OP.memoryCopy, 0, 0], places));
  out.sized(blockMover([OP.bulk, OP.memoryFill, 0], places));
  return out.take();
}

function meteredFunction(body: Uint8Array, places: Places): Uint8Array {
  const reader = new WasmReader(body);
  for (let groups = reader.unsigned(); groups > 0; groups--) {
    reader.unsigned();
    reader.byte();
  }
  const out = new WasmBytes().bytes(body.subarray(0, reader.at));
  charge(out, places);
  while (!reader.atEnd) copyInstruction(reader, out, places);
  return out.take();
}

function copyInstruction(reader: WasmReader, out: WasmBytes, places: Places): void {
  const start = reader.at;
  const { opcode, bulk } = skipInstruction(reader);
  if (bulk === OP.memoryCopy) out.byte(OP.call).unsigned(places.copy);
  else if (bulk === OP.memoryFill) out.byte(OP.call).unsigned(places.fill);
  else out.bytes(reader.between(start));
  if (opcode === OP.loop) charge(out, places);
}

/** Takes one step off, and traps when there is none. */
function charge(out: WasmBytes, { steps }: Places): void {
  out.byte(OP.globalGet).unsigned(steps).byte(OP.i32Const).byte(1).byte(OP.i32Sub);
  takeBack(out, steps);
}

/** Stores the steps that are on the stack, and traps when they are below zero. */
function takeBack(out: WasmBytes, steps: number): void {
  out.byte(OP.globalSet).unsigned(steps).byte(OP.globalGet).unsigned(steps);
  out.byte(OP.i32Const).byte(0).byte(OP.i32LessSigned);
  out.byte(OP.if).byte(OP.emptyBlock).byte(OP.unreachable).byte(OP.end);
}

/** A function that charges for the length of a block of memory and then moves or fills it. */
function blockMover(instruction: readonly number[], { steps }: Places): Uint8Array {
  const out = new WasmBytes().byte(0);
  out.byte(OP.globalGet).unsigned(steps);
  out.byte(OP.localGet).byte(2).byte(OP.i32Const).byte(BYTES_A_STEP_LOG2);
  out.byte(OP.i32ShiftRight).byte(OP.i32Sub);
  takeBack(out, steps);
  for (const local of [0, 1, 2]) out.byte(OP.localGet).byte(local);
  for (const byte of instruction) out.byte(byte);
  return out.byte(OP.end).take();
}
