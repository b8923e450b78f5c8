import { formatTimestamp, micros } from '@allsource/shared/model';
import { type ArrowPart, longsOf, namesOf, TextValues } from './arrow-parts.ts';
import type { ByteTarget, ExportWriter } from './export-writer.ts';

const HEADER =
  'position,id,event_type,entity_id,tenant_id,version,timestamp,recorded_at,payload,metadata\r\n';

/**
 * CSV by RFC 4180: a header, CRLF at the end of each line, fields in quotes where they need them, quotes in them doubled. Payload and metadata are their JSON
 * text, byte for byte; metadata that is not there is an empty field.
 */
export class CsvWriter implements ExportWriter<ArrowPart> {
  readonly #target: ByteTarget;
  #hasHeader = false;

  constructor(target: ByteTarget) {
    this.#target = target;
  }

  async write({ batch }: ArrowPart): Promise<void> {
    await this.#writeHeader();
    const [positions, versions] = [longsOf(batch, 'position'), longsOf(batch, 'version')];
    const [times, recorded] = [longsOf(batch, 'timestamp'), longsOf(batch, 'recorded_at')];
    const [ids, entities] = [new TextValues(batch, 'id'), new TextValues(batch, 'entity_id')];
    const payloads = new TextValues(batch, 'payload');
    const metadata = new TextValues(batch, 'metadata');
    const [types, tenants] = [namesOf(batch, 'event_type'), namesOf(batch, 'tenant_id')];
    let lines = '';
    for (let row = 0; row < batch.numRows; row++) {
      const fields = [
        String(positions.at(row)),
        ids.text(row),
        types(row),
        entities.text(row),
        tenants(row),
        String(versions.at(row)),
        formatTimestamp(micros(times.at(row))),
        formatTimestamp(micros(recorded.at(row))),
        payloads.text(row),
        metadata.text(row),
      ];
      lines += `${fields.map(csvField).join(',')}\r\n`;
    }
    await this.#target.write(Buffer.from(lines));
  }

  async end(): Promise<void> {
    await this.#writeHeader();
  }

  async #writeHeader(): Promise<void> {
    if (!this.#hasHeader) await this.#target.write(Buffer.from(HEADER));
    this.#hasHeader = true;
  }
}

function csvField(text: string | null): string {
  if (text === null) return '';
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
