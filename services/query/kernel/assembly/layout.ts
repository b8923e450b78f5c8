/**
 * The kernel's linear memory, 512 KiB for good. JavaScript writes rows, heads and texts; the kernel writes the rest. What a batch leaves in it is of no use to the next.
 *
 *     1 KiB     constants of the compiler
 *     64 KiB    rows: one record for each row of the batch
 *     96 KiB    clocks: the last second of each of the two clocks and its text
 *     128 KiB   heads: parts of what stands before the payload of a row, or of several that follow each other
 *     256 KiB   texts: payload and metadata of each row, end to end
 *     384 KiB   out: the text of the batch
 *
 *     A record, 80 bytes.
 *     0   8  timestamp, microseconds, f64      32  16 id
 *     8   8  recorded_at, microseconds, f64    48  4  head, up to the entity
 *     16  8  version, f64                      52  4  the entity
 *     24  8  position, f64                     56  4  payload bytes
 *                                              60  4  metadata bytes, 0 = none
 *                                              64  4  address of the text
 *                                              68  4  head, from the entity to the payload
 *                                              72  4  random bits of the id, NO_RANDOM = it stands whole at 32
 *     Of a part of a head there are 16 bits of its place in the heads, then 16 bits of its length.
 *
 * A batch is bounded by what it may take in `out`, 64 KiB; so heads and texts, which go there, have room too: a text takes up to 14 bytes more
 * than it has, less than what stands around it in `out`. Up to 15 bytes behind each region are read or written.
 */

const KIB: usize = 1024;

export const ROWS: usize = 64 * KIB;
export const ROW_BYTES: usize = 80;
export const TIMESTAMP: usize = 0;
export const RECORDED_AT: usize = 8;
export const VERSION: usize = 16;
export const POSITION: usize = 24;
export const ID: usize = 32;
export const BEFORE_ENTITY: usize = 48;
export const ENTITY: usize = 52;
export const PAYLOAD_BYTES: usize = 56;
export const METADATA_BYTES: usize = 60;
export const TEXT: usize = 64;
export const BEHIND_ENTITY: usize = 68;
export const ID_RANDOM: usize = 72;
export const NO_RANDOM: u32 = 0xffff_ffff;

export const TIMESTAMP_CLOCK: usize = 96 * KIB;
export const RECORDED_AT_CLOCK: usize = TIMESTAMP_CLOCK + 64;

export const HEADS: usize = 128 * KIB;
export const OUT: usize = 384 * KIB;
export const MEMORY_PAGES: i32 = 8;
