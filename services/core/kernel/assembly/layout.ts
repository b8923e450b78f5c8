/**
 * The kernel's linear memory. JavaScript writes the context, the input and sometimes the event table; the kernel writes the rest. The regions have
 * fixed places for the life of an instance, sized by the limits that `initialize` is given; a page that was never touched costs no memory.
 *
 *     1 KiB     constants of the compiler
 *     64 KiB    context, what belongs to one commit and is not in the request (see CONTEXT_...)
 *     68 KiB    lanes, hashes of a fold
 *     128 KiB   type counts of the last frame (see type-counts.ts)
 *     4 MiB     directory of the entity table, 4 MiB
 *     8 MiB     input: the request body, then INPUT_SLACK zero bytes, which end every loop over it
 *               event table: one record for each event of the request
 *               frame under construction, or a frame to fold
 *               answer under construction
 *               segments of the entity table, 64 KiB each, to the end of memory; the only region that grows
 *
 *     An event record, 80 bytes. Offsets are relative to the input; names are without their quotes.
 *     0   4  type offset             40  8  expected version
 *     4   2  type bytes              48  16 hash of (space, tenant, entity)
 *     6   2  entity bytes            64  8  version
 *     8   4  entity offset           72  8  position of this entity's event before this one, 0 = none
 *     12  4  payload offset
 *     16  4  payload bytes
 *     20  4  metadata offset
 *     24  4  metadata bytes, 0 = none
 *     28  4  flags: 1 = timestamp given, 2 = expected version given
 *     32  8  timestamp, microseconds
 */

export const KIB: usize = 1024;
export const MIB: usize = 1024 * KIB;
/** Bytes of a page of WebAssembly memory, and of a segment of the entity table. */
export const PAGE_BYTES: usize = 65536;

export const CONTEXT_TENANT: usize = 64 * KIB; // 256
export const CONTEXT_KEY: usize = CONTEXT_TENANT + 256; // 256
export const CONTEXT_DIGEST: usize = CONTEXT_TENANT + 512; // 16
export const CONTEXT_LOG_ID: usize = CONTEXT_TENANT + 528; // 8
export const CONTEXT_RECORDED_AT: usize = CONTEXT_TENANT + 544; // 32, written by the kernel
export const CONTEXT_HASH: usize = CONTEXT_TENANT + 576; // 16, for look-ups beside a request
export const LANES: usize = 68 * KIB; // 256
export const FOLD_HASHES: usize = 72 * KIB; // 1 KiB: hashes of the entities that are folded next
export const SPLIT_SCRATCH: usize = 3 * MIB; // one segment
export const TYPE_SLOTS: usize = 128 * KIB;
export const DIRECTORY: usize = 4 * MIB;
export const INPUT: usize = 8 * MIB;
/** Zero bytes behind the input: a block of 16 bytes may be read from its last byte, and no zero byte is part of JSON. */
export const INPUT_SLACK: usize = 64;

export const EVENT_BYTES: usize = 80;
export const TYPE_AT: usize = 0;
export const TYPE_BYTES: usize = 4;
export const ENTITY_BYTES: usize = 6;
export const ENTITY_AT: usize = 8;
export const PAYLOAD_AT: usize = 12;
export const PAYLOAD_BYTES: usize = 16;
export const METADATA_AT: usize = 20;
export const METADATA_BYTES: usize = 24;
export const FLAGS: usize = 28;
export const TIMESTAMP: usize = 32;
export const EXPECTED_VERSION: usize = 40;
export const HASH: usize = 48;
export const VERSION: usize = 64;
export const PREVIOUS_POSITION: usize = 72;

export const FLAG_TIMESTAMP: u32 = 1;
export const FLAG_EXPECTED_VERSION: u32 = 2;

/** What an answer holds for an event beyond its payload, metadata and names: ids, times, versions, member names. */
const ANSWER_BYTES_PER_EVENT: usize = 320;
const NAME_BYTES: usize = 1024;
const FRAME_SPAN_BYTES: usize = 64;

let inputBytes: usize = 0;
let events: usize = 0;

function wholePages(bytes: usize): usize {
  return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/** Sets the sizes of the regions. Called once, before everything else. */
export function setLimits(inputBytesMax: usize, eventsMax: usize): void {
  inputBytes = wholePages(inputBytesMax + INPUT_SLACK);
  events = wholePages(eventsMax * EVENT_BYTES);
}

export function eventTable(): usize {
  return INPUT + inputBytes;
}

export function frameAt(): usize {
  return eventTable() + events;
}

export function answerAt(): usize {
  return (
    frameAt() + wholePages(inputBytes + (events * FRAME_SPAN_BYTES) / EVENT_BYTES + NAME_BYTES)
  );
}

/** Where the segments of the entity table begin. */
export function segmentsAt(): usize {
  return (
    answerAt() +
    wholePages(inputBytes + (events * ANSWER_BYTES_PER_EVENT) / EVENT_BYTES + NAME_BYTES)
  );
}
