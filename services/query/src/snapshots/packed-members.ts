/**
 * The members of a state as bytes: each name as a JSON string, a unit separator, the value as it was sent, a record separator. JSON text can
 * hold neither separator (in strings they are escaped, and they are no white space), so a state is cut up without reading its values, in as
 * many turns as it takes.
 *
 *     "name" 1f value 1e   "name" 1f value 1e   ...
 */
import { must } from '@allsource/shared/lang';
import type { Turns } from '@allsource/service-kit/turns';

const UNIT = '\x1f';
const RECORD = '\x1e';
const UNIT_BYTE = 0x1f;
const RECORD_BYTE = 0x1e;
const QUOTE_BYTE = 0x22;
const BACKSLASH_BYTE = 0x5c;
const PIECE_LENGTH = 64 * 1024;

/** Prints members, which may be many. */
export async function packMembers(
  members: ReadonlyMap<string, string>,
  turns: Turns,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let piece = '';
  for (const [name, value] of members) {
    piece += JSON.stringify(name) + UNIT + value + RECORD;
    if (piece.length < PIECE_LENGTH) continue;
    pieces.push(Buffer.from(piece));
    piece = '';
    if (turns.isTurnOver) await turns.nextTurn();
  }
  pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Reads what {@link packMembers} has printed. */
export async function unpackMembers(bytes: Buffer, turns: Turns): Promise<Map<string, string>> {
  const members = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const unit = bytes.indexOf(UNIT_BYTE, at);
    const end = bytes.indexOf(RECORD_BYTE, unit);
    members.set(nameOf(bytes.subarray(at, unit)), bytes.toString('utf8', unit + 1, end));
    at = must(end === -1 ? undefined : end, 'a member has an end') + 1;
    if (turns.isTurnOver) await turns.nextTurn();
  }
  return members;
}

/** Bytes of the same members as a JSON object: braces and commas stand for the separators. */
export function jsonBytesOfPacked(packedBytes: number): number {
  return packedBytes === 0 ? 2 : packedBytes + 1;
}

function nameOf(json: Buffer): string {
  const isPlain = json[0] === QUOTE_BYTE && !json.includes(BACKSLASH_BYTE);
  return isPlain
    ? json.toString('utf8', 1, json.length - 1)
    : (JSON.parse(json.toString('utf8')) as string);
}
