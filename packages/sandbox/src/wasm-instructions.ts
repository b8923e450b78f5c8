import { assert } from '@allsource/shared/lang';
import type { WasmReader } from './wasm-bytes.ts';

/** The instructions that the metering writes or looks for. */
export const WASM_OPCODES = {
  unreachable: 0x00,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  call: 0x10,
  localGet: 0x20,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i32LessSigned: 0x48,
  i32Sub: 0x6b,
  i32ShiftRight: 0x76,
  emptyBlock: 0x40,
  bulk: 0xfc,
  memoryCopy: 10,
  memoryFill: 11,
} as const;

export interface PassedInstruction {
  readonly opcode: number;
  /** The second number of an instruction with the prefix `bulk`; null for the others. */
  readonly bulk: number | null;
}

/** Passes one instruction with what belongs to it. Knows WebAssembly 1.0, sign extension, saturating conversions and bulk memory. */
export function skipInstruction(reader: WasmReader): PassedInstruction {
  const opcode = reader.byte();
  if (opcode === WASM_OPCODES.bulk) return { opcode, bulk: skipBulk(reader) };
  skipOperands(opcode, reader);
  return { opcode, bulk: null };
}

function skipOperands(opcode: number, reader: WasmReader): void {
  if (hasOneNumber(opcode)) reader.skipNumber();
  else if (opcode === 0x0e) skipBranchTable(reader);
  else if (opcode === 0x11 || isMemoryAccess(opcode)) skipNumbers(reader, 2);
  else if (opcode === 0x43) reader.bytes(4);
  else if (opcode === 0x44) reader.bytes(8);
  else if (opcode === 0x1c) skipNumbers(reader, reader.unsigned());
  else assert(isPlain(opcode), `an instruction that is not known: ${opcode}`);
}

/** Block types, branches, calls, locals, globals, tables, the size of the memory, whole constants. */
function hasOneNumber(opcode: number): boolean {
  return (
    (opcode >= 0x02 && opcode <= 0x04) ||
    opcode === 0x0c ||
    opcode === 0x0d ||
    opcode === 0x10 ||
    (opcode >= 0x20 && opcode <= 0x26) ||
    (opcode >= 0x3f && opcode <= 0x42)
  );
}

function isMemoryAccess(opcode: number): boolean {
  return opcode >= 0x28 && opcode <= 0x3e;
}

/** Instructions without operands. */
function isPlain(opcode: number): boolean {
  return (
    opcode <= 0x01 ||
    opcode === 0x05 ||
    opcode === 0x0b ||
    opcode === 0x0f ||
    opcode === 0x1a ||
    opcode === 0x1b ||
    (opcode >= 0x45 && opcode <= 0xc4)
  );
}

function skipBulk(reader: WasmReader): number {
  const kind = reader.unsigned();
  if (kind <= 7) return kind;
  if (kind === 9 || kind === 11 || kind === 13 || (kind >= 15 && kind <= 17))
    skipNumbers(reader, 1);
  else if (kind === 8 || kind === 10 || kind === 12 || kind === 14) skipNumbers(reader, 2);
  else assert(false, `a bulk instruction that is not known: ${kind}`);
  return kind;
}

function skipBranchTable(reader: WasmReader): void {
  skipNumbers(reader, reader.unsigned() + 1);
}

function skipNumbers(reader: WasmReader, count: number): void {
  for (let left = count; left > 0; left--) reader.skipNumber();
}
