import { JsonScanner } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { type Mapping, readMapping } from './mapping.ts';
import { MappingRun, UpcastFault } from './mapping-run.ts';
import { invalidUpcaster, MappingText } from './mapping-text.ts';
import { RawValue } from './raw-value.ts';

const OPEN_BRACKET = 0x5b;

/** The mappings of an upcaster, ready to be done one after the other. */
export class Mappings {
  readonly #mappings: readonly Mapping[];

  /** Reads the JSON text of a list of mappings. Throws `invalid_upcaster` with a pointer. */
  constructor(text: string, pointer = '/mappings') {
    this.#mappings = itemTexts(text, pointer).map((item, index) =>
      readMapping(new MappingText(item, `${pointer}/${index}`)),
    );
  }

  /** Does all mappings to a payload. Throws an {@link UpcastFault} that names the mapping and the place. */
  apply(payload: RawValue, run: MappingRun): void {
    for (const [index, mapping] of this.#mappings.entries()) {
      try {
        mapping(payload, run);
      } catch (error) {
        if (!(error instanceof UpcastFault)) throw error;
        throw new UpcastFault(`mapping ${index}: ${error.message}`);
      }
    }
  }

  /** The same for a payload as text, by itself. */
  applyTo(text: string): string {
    const payload = new RawValue(text);
    this.apply(payload, new MappingRun(text.length));
    return payload.print();
  }
}

function itemTexts(text: string, pointer: string): string[] {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
  if (scanner.peek() !== OPEN_BRACKET)
    throw invalidUpcaster(pointer, 'it must be a list of mappings.');
  const items: string[] = [];
  scanner.visitArray(0, () => {
    const start = scanner.at;
    scanner.skipValue(1);
    items.push(bytes.toString('utf8', start, scanner.at));
  });
  if (items.length <= LIMITS.upcasterMappingsMax) return items;
  throw invalidUpcaster(
    pointer,
    `it has ${items.length} mappings; at most ${LIMITS.upcasterMappingsMax} are allowed.`,
  );
}
