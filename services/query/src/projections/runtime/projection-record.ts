import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { BuildComparison } from '../projection-runtime.ts';
import type { BuildSpec } from './build-spec.ts';

/** What became of the builds of a projection, beside their files. */
export interface ProjectionRecord {
  readonly tenant: string;
  readonly name: string;
  /** The build that is read, and the one that was read before it. */
  readonly live: string | null;
  readonly previous: string | null;
  /** When the live one was switched to, in milliseconds since the epoch. */
  readonly switchedMs: number;
  readonly builds: Readonly<Record<string, RecordedBuild>>;
}

export interface RecordedBuild extends BuildSpec {
  readonly compared: BuildComparison | null;
  readonly note: string | null;
}

const FILE = 'projection.json';

/** The folder of a projection in that of all of them. A projection that is made again under the same name gets another one. */
export function projectionFolder(
  folder: string,
  { tenant, name, created_position }: ProjectionDefinition,
): string {
  const hash = createHash('sha256').update(JSON.stringify([tenant, name, created_position]));
  return join(folder, hash.digest('hex').slice(0, 32));
}

/** Reads it; one that is not there or not whole is empty: what it says can be computed again. */
export function readRecord(
  folder: string,
  { tenant, name }: Pick<ProjectionDefinition, 'tenant' | 'name'>,
): ProjectionRecord {
  const empty = { tenant, name, live: null, previous: null, switchedMs: 0, builds: {} };
  try {
    const record = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as ProjectionRecord;
    return { ...empty, ...record };
  } catch {
    return empty;
  }
}

/** Replaces it in one step. */
export function writeRecord(folder: string, record: ProjectionRecord): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, FILE);
  writeFileSync(`${file}.new`, JSON.stringify(record, undefined, 2), { flush: true });
  renameSync(`${file}.new`, file);
}
