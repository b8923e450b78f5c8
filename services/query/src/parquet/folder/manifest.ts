/**
 * The manifest of a tenant: which Parquet files count. A file that it does not name is left over and removed.
 *
 * It is JSON, so that people and scripts can read which files to open, with a checksum over its own text. It is replaced in one step, which is what makes a
 * compaction happen at one moment: before it the old files count, after it the merged one.
 *
 *     {"checksum": CRC-32 of the text of the second member,
 *      "manifest": {"format": 1, "log_id", "tenant_id", "generation", "files": [...], "retired": [...], "compactions": {...}}}
 */
import { crc32 } from 'node:zlib';

export const MANIFEST_FORMAT = 1;

/** A file that counts. Files stand in position order and their ranges do not overlap. */
export interface ParquetFile {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  /** CRC-32 of the whole file. */
  readonly checksum: number;
  /** Positions of the first and the last event. The file holds every event of its tenant between them. */
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** When it was written, in milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** A file that a merged one has replaced; it is kept a while for those who were told of it. */
export interface RetiredFile {
  readonly name: string;
  readonly bytes: number;
  readonly retiredAtMs: number;
}

/** What compaction has done for a tenant since its files were begun. */
export interface CompactionTotals {
  readonly compactions: number;
  readonly files: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly events: number;
  readonly lastDurationMs: number;
}

export interface Manifest {
  readonly logId: string;
  readonly tenant: string;
  /** Grows with every manifest; names of files carry it, so that no name is used twice. */
  readonly generation: number;
  readonly files: readonly ParquetFile[];
  readonly retired: readonly RetiredFile[];
  readonly totals: CompactionTotals;
}

export const NO_COMPACTIONS: CompactionTotals = {
  compactions: 0,
  files: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  events: 0,
  lastDurationMs: 0,
};

export function emptyManifest(tenant: string, logId: string): Manifest {
  return { logId, tenant, generation: 0, files: [], retired: [], totals: NO_COMPACTIONS };
}

export function encodeManifest(manifest: Manifest): Buffer {
  return sealed('manifest', {
    format: MANIFEST_FORMAT,
    log_id: manifest.logId,
    tenant_id: manifest.tenant,
    generation: manifest.generation,
    files: manifest.files,
    retired: manifest.retired,
    compactions: manifest.totals,
  });
}

/** The manifest, or null when it is damaged or of another format. What it says is then found out again from the log. */
export function decodeManifest(bytes: Buffer): Manifest | null {
  const content = unsealed('manifest', bytes);
  if (content === null || content['format'] !== MANIFEST_FORMAT) return null;
  // The checksum says that these are the bytes that encodeManifest wrote.
  return {
    logId: content['log_id'] as string,
    tenant: content['tenant_id'] as string,
    generation: content['generation'] as number,
    files: content['files'] as ParquetFile[],
    retired: content['retired'] as RetiredFile[],
    totals: content['compactions'] as CompactionTotals,
  };
}

/** JSON of an object under a name, with a checksum over its text. */
export function sealed(name: string, content: object): Buffer {
  const text = JSON.stringify(content, undefined, 1);
  return Buffer.from(`{"checksum":${crc32(text)},\n"${name}":${text}}\n`);
}

/** What `sealed` has wrapped, or null when it is anything else. */
export function unsealed(name: string, bytes: Buffer): Record<string, unknown> | null {
  const text = bytes.toString('utf8');
  const match = new RegExp(`^\\{"checksum":(\\d+),\\n"${name}":(\\{.*\\})\\}\\n$`, 's').exec(text);
  const content = match?.[2];
  if (content === undefined || crc32(content) !== Number(match?.[1])) return null;
  return JSON.parse(content) as Record<string, unknown>;
}
