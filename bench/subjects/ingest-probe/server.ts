/**
 * The ingest probe: how fast durable JSON ingest can be on this machine with Node, as the bar for core. The kernel (assembly/kernel.ts) turns a request's
 * bytes into an answer without an object or a string for an event; this file moves buffers: request and starts with a CRC, one writev and one
 * fdatasync for everything that waited, then the answers. It has no authentication, conditions, limits, recovery or reads, and it
 * overwrites its file when that is full.
 *
 *     node server.ts PORT FOLDER KERNEL.wasm
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  openSync,
  readFileSync,
  writeSync,
  writev,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const FILE_BYTES = 256 * 1024 * 1024;
const ZEROS = Buffer.alloc(4 * 1024 * 1024);
const HEADER_BYTES = 32;
const START_BYTES = 16;
const SEED_STEP = 977n;

/** An exported constant of the kernel: an address, or a number of bytes. */
interface KernelConstant {
  readonly value: number;
}

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly INPUT_AT: KernelConstant;
  readonly INPUT_BYTES_MAX: KernelConstant;
  readonly STARTS_AT: KernelConstant;
  readonly ANSWER_AT: KernelConstant;
  readonly TIMESTAMP_AT: KernelConstant;
  readonly ID_TEXT_AT: KernelConstant;
  readonly TIMESTAMP_TEXT_AT: KernelConstant;
  readonly VERSION_TEXT_AT: KernelConstant;
  scan(bytes: number, isBatch: boolean): number;
  answer(count: number, milliseconds: bigint, seed: bigint): number;
}

/** The part of the WebAssembly interface that is needed; it is no part of the language's types. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Buffer) => object;
  readonly Instance: new (module: object) => { readonly exports: Kernel };
}

interface Waiting {
  readonly header: Buffer;
  readonly body: Buffer;
  readonly respond: () => void;
}

const [port = '0', folder = '.', wasm = ''] = process.argv.slice(2);
const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface })
  .WebAssembly;
const kernel = new Instance(new Module(readFileSync(wasm))).exports;
const memory = Buffer.from(kernel.memory.buffer);
const INPUT_AT = kernel.INPUT_AT.value;
const INPUT_BYTES_MAX = kernel.INPUT_BYTES_MAX.value;
const STARTS_AT = kernel.STARTS_AT.value;
const ANSWER_AT = kernel.ANSWER_AT.value;
const TIMESTAMP_AT = kernel.TIMESTAMP_AT.value;
memory.write('{"event_id":"', kernel.ID_TEXT_AT.value);
memory.write('","timestamp":"', kernel.TIMESTAMP_TEXT_AT.value);
memory.write('","version":', kernel.VERSION_TEXT_AT.value);

const file = openSync(join(folder, 'ingest-probe.log'), 'w');
for (let offset = 0; offset < FILE_BYTES; offset += ZEROS.length) writeSync(file, ZEROS);
fdatasyncSync(file);

let fileOffset = 0;
let eventCount = 0;
let waiting: Waiting[] = [];
let isWriting = false;

function commit(): void {
  if (isWriting || waiting.length === 0) return;
  isWriting = true;
  const group = waiting;
  waiting = [];
  const buffers = group.flatMap(({ header, body }) => [header, body]);
  const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
  if (fileOffset + bytes > FILE_BYTES) fileOffset = 0;
  writev(file, buffers, fileOffset, (writeFault) => {
    if (writeFault !== null) throw writeFault;
    fileOffset += bytes;
    fdatasync(file, (syncFault) => {
      if (syncFault !== null) throw syncFault;
      isWriting = false;
      for (const { respond } of group) respond();
      commit();
    });
  });
}

function take(body: Buffer, isBatch: boolean, response: ServerResponse): void {
  const isTooLong = body.length > INPUT_BYTES_MAX;
  if (!isTooLong) memory.set(body, INPUT_AT);
  const count = isTooLong ? -1 : kernel.scan(body.length, isBatch);
  if (count < 0) {
    response.writeHead(400).end();
    return;
  }
  const answer = answerOf(count, isBatch);
  const header = Buffer.allocUnsafe(HEADER_BYTES + count * START_BYTES);
  header.writeUInt32LE(body.length, 0);
  header.writeUInt32LE(crc32(body), 4);
  memory.copy(header, HEADER_BYTES, STARTS_AT, STARTS_AT + count * START_BYTES);
  const headers = { 'content-type': 'application/json', 'content-length': answer.length };
  waiting.push({ header, body, respond: () => response.writeHead(200, headers).end(answer) });
  commit();
}

function answerOf(count: number, isBatch: boolean): Buffer {
  const now = Date.now();
  memory.write(new Date(now).toISOString(), TIMESTAMP_AT, 'latin1');
  const bytes = kernel.answer(count, BigInt(now), BigInt(eventCount) * SEED_STEP);
  eventCount += count;
  const before = isBatch ? `{"total":${count},"ingested":${count},"events":[` : '';
  const after = isBatch ? ']}' : '';
  const answer = Buffer.allocUnsafe(before.length + bytes + after.length);
  answer.write(before, 'latin1');
  memory.copy(answer, before.length, ANSWER_AT, ANSWER_AT + bytes);
  answer.write(after, before.length + bytes, 'latin1');
  return answer;
}

function receive(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    take(body, request.url?.endsWith('/batch') ?? false, response);
  });
}

createServer({ highWaterMark: 1024 * 1024 }, receive).listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => {
  closeSync(file);
  process.exit(0);
});
