import { hash } from 'node:crypto';
import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';

const TEXT = /^(\d{1,16})\.([0-9a-f]{8})([0-9a-f]{8})$/;
const HASH_CHARACTERS = 8;

/** Whose list of snapshots a cursor goes on with; of all entities where none is named. */
export interface ListScope {
  readonly tenant: string;
  readonly entity: string | null;
}

/** The cursor behind the snapshot of this number. It grants nothing: whose snapshots are listed comes from the key. */
export function snapshotCursor(number: number, { tenant, entity }: ListScope): string {
  return `${number}.${shortHash(tenant)}${shortHash(entity)}`;
}

/** The number of the snapshot that the list goes on behind. Throws a problem that says why the cursor cannot be used for this list. */
export function readSnapshotCursor(text: string, { tenant, entity }: ListScope): number {
  const [, number, ofTenant, ofEntity] = TEXT.exec(text) ?? [];
  if (number === undefined || !Number.isSafeInteger(Number(number)))
    throw cursorFault(
      `${quoted(text)} is not a cursor of this list; take the 'next_cursor' of an answer as it is`,
    );
  if (ofTenant !== shortHash(tenant)) throw cursorFault('it was given to another tenant');
  if (ofEntity !== shortHash(entity))
    throw cursorFault('it was given for another list; entity_id must stay as it was');
  return Number(number);
}

function shortHash(text: string | null): string {
  return hash('sha256', JSON.stringify(text), 'hex').slice(0, HASH_CHARACTERS);
}

function cursorFault(reason: string): Error {
  return problem('invalid_parameter', `'cursor' cannot be used: ${reason}.`, {
    parameter: 'cursor',
  });
}
