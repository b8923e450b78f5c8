/**
 * What makes an import repeatable. Every batch is sent under an idempotency key that a second run makes again:
 *
 *     import:<identity>:<first line>-<last line>
 *
 * The identity is the hash of the file's content (decompressed, so that a file and its gzip are one import), or of the name given with --import-id. Standard
 * input cannot be read twice, so there the identity of a batch is the hash of everything up to its end.
 *
 * The key names the place in the file and not the bytes that were sent in the end. A batch from which the server has refused a line is sent again without it
 * under the same key, and the store accepts one body for a key, ever. So no line can be stored twice, not even when the same line is refused
 * in one run (a time in the future, say) and would be accepted in the next: the store then answers that the key was used for another body.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ImportSource } from './import-source.ts';
import type { LineBatch } from './batch-cutter.ts';

const IDENTITY_HEX_DIGITS = 40;
const LINE_FEED = Buffer.from('\n');

/** Makes the idempotency keys of an import. Batches are given in the order of the file. */
export interface ImportIdentity {
  /** For people and for --import-id; null where every batch has its own. */
  readonly id: string | null;
  keyOf(batch: LineBatch): string;
}

/** The identity of an import: of the given name, of the file's content, or of what was read so far. */
export async function identify(
  source: ImportSource,
  importId: string | null,
): Promise<ImportIdentity> {
  if (importId !== null)
    return fixedIdentity(shortDigest(createHash('sha256').update(`id:${importId}`)));
  if (!source.isRepeatable) return new PrefixIdentity();
  const hash = createHash('sha256').update('content:');
  for await (const chunk of source.chunks()) hash.update(chunk);
  return fixedIdentity(shortDigest(hash));
}

function fixedIdentity(id: string): ImportIdentity {
  return { id, keyOf: (batch) => formatKey(id, batch) };
}

class PrefixIdentity implements ImportIdentity {
  readonly id = null;
  readonly #hash = createHash('sha256').update('prefix:');

  keyOf(batch: LineBatch): string {
    for (const { line } of batch.lines) this.#hash.update(line.bytes).update(LINE_FEED);
    return formatKey(shortDigest(this.#hash.copy()), batch);
  }
}

function shortDigest(hash: Hash): string {
  return hash.digest('hex').slice(0, IDENTITY_HEX_DIGITS);
}

function formatKey(identity: string, { firstLine, lastLine }: LineBatch): string {
  return `import:${identity}:${firstLine}-${lastLine}`;
}
