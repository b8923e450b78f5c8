import type { UpcasterWork } from '@allsource/schemas/registry';
import { invalidUpcaster } from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import { JsonScanner, rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import type { UpcasterDraft } from './upcaster-service.ts';

const DESCRIPTION_LENGTH_MAX = 10_000;
const MEMBERS = ['from_version', 'to_version', 'mappings', 'function', 'samples', 'description'];
const OPEN_BRACKET = 0x5b;

/** What is known of a step before its text is read. */
export interface UpcasterPlace {
  /** Where it stands in what was sent. */
  readonly pointer: string;
  /** The version that it begins at; null where the text says it. */
  readonly fromVersion: number | null;
}

/**
 * Reads `{"from_version", "to_version"?, "mappings" or "function", "samples"?, "description"?}`; mappings and samples stay as they were sent. The text must be valid JSON. Throws
 * `invalid_upcaster` with a pointer.
 */
export function parseUpcasterDraft(text: string, place: UpcasterPlace): UpcasterDraft {
  const { pointer } = place;
  const members = rawMembers(Buffer.from(text));
  if (members === null) throw invalidUpcaster(pointer, 'an upcaster is a JSON object.');
  for (const name of members.keys())
    if (!MEMBERS.includes(name))
      throw invalidUpcaster(
        `${pointer}/${name}`,
        `an upcaster has no such member; it has ${MEMBERS.join(', ')}.`,
      );
  const fromVersion = fromVersionOf(members, place);
  return {
    fromVersion,
    toVersion: versionOf(members.get('to_version'), `${pointer}/to_version`) ?? fromVersion + 1,
    description: descriptionOf(members.get('description'), `${pointer}/description`),
    work: workOf(members, pointer),
    samples: samplesOf(members.get('samples'), `${pointer}/samples`),
    pointer,
  };
}

/** Reads `{"upcasters": [...]}`. */
export function parseUpcasterDrafts(body: Uint8Array): UpcasterDraft[] {
  const text = rawMembers(body)?.get('upcasters');
  if (text === undefined)
    throw problem(
      'invalid_body',
      "'upcasters' is missing: a list with a step from each older version.",
      {
        pointer: '/upcasters',
      },
    );
  const drafts = itemsOf(text, '/upcasters').map((item, index) =>
    parseUpcasterDraft(item, { pointer: `/upcasters/${index}`, fromVersion: null }),
  );
  const seen = new Set<number>();
  for (const { fromVersion, pointer } of drafts) {
    if (seen.has(fromVersion))
      throw invalidUpcaster(pointer, `there is another step from version ${fromVersion}.`);
    seen.add(fromVersion);
  }
  return drafts;
}

function workOf(members: ReadonlyMap<string, string>, pointer: string): UpcasterWork {
  const mappings = members.get('mappings');
  const source = members.get('function');
  if (mappings !== undefined && source === undefined) {
    requireSize(mappings, `${pointer}/mappings`);
    return { mappings };
  }
  if (mappings !== undefined || source === undefined)
    throw invalidUpcaster(
      `${pointer}/mappings`,
      "an upcaster has either 'mappings', a list, or 'function', the source of a JavaScript function from payload to payload.",
    );
  const text: unknown = JSON.parse(source);
  if (typeof text !== 'string') throw invalidUpcaster(`${pointer}/function`, 'it must be a text.');
  requireSize(text, `${pointer}/function`);
  return { function: text };
}

function fromVersionOf(
  members: ReadonlyMap<string, string>,
  { pointer, fromVersion }: UpcasterPlace,
): number {
  const said = versionOf(members.get('from_version'), `${pointer}/from_version`);
  const version = said ?? fromVersion;
  if (version === null) throw invalidUpcaster(`${pointer}/from_version`, 'it is missing.');
  if (fromVersion === null || version === fromVersion) return version;
  throw invalidUpcaster(
    `${pointer}/from_version`,
    `it is ${version}, and the path says ${fromVersion}.`,
  );
}

function versionOf(text: string | undefined, pointer: string): number | null {
  if (text === undefined || text === 'null') return null;
  const version: unknown = JSON.parse(text);
  const isGood = typeof version === 'number' && Number.isInteger(version) && version >= 1;
  if (isGood && version <= LIMITS.schemaVersionsMax) return version;
  throw invalidUpcaster(
    pointer,
    `it is ${quoted(text)}; allowed is a whole number from 1 to ${LIMITS.schemaVersionsMax}.`,
  );
}

function descriptionOf(text: string | undefined, pointer: string): string | null {
  const value: unknown = JSON.parse(text ?? 'null');
  if (value === null) return null;
  if (typeof value === 'string' && value.length <= DESCRIPTION_LENGTH_MAX) return value;
  throw invalidUpcaster(
    pointer,
    `it must be a text of at most ${DESCRIPTION_LENGTH_MAX} characters.`,
  );
}

function requireSize(text: string, pointer: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= LIMITS.upcasterBytesMax) return;
  throw invalidUpcaster(
    pointer,
    `it has ${bytes} bytes; at most ${LIMITS.upcasterBytesMax} are allowed.`,
  );
}

function samplesOf(text: string | undefined, pointer: string): string[] {
  if (text === undefined || text === 'null') return [];
  const samples = itemsOf(text, pointer);
  for (const [index, sample] of samples.entries()) requireSize(sample, `${pointer}/${index}`);
  if (samples.length <= LIMITS.upcasterSamplesMax) return samples;
  throw invalidUpcaster(
    pointer,
    `there are ${samples.length}; at most ${LIMITS.upcasterSamplesMax} are allowed.`,
  );
}

function itemsOf(text: string, pointer: string): string[] {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
  if (scanner.peek() !== OPEN_BRACKET) throw invalidUpcaster(pointer, 'it must be a list.');
  const items: string[] = [];
  scanner.visitArray(0, () => {
    const start = scanner.at;
    scanner.skipValue(1);
    items.push(bytes.toString('utf8', start, scanner.at));
  });
  return items;
}
