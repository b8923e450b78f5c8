/**
 * Checks events that came as columns. JavaScript has brought the texts into the input and written where each lies; names are bare text here, payload
 * and metadata are JSON documents of their own. `false` means that ingest-columns.ts has to look, which accepts the events or says what is wrong: like
 * the scan of a request, the check may be stricter than the rules, and never more lenient.
 *
 * A value is walked without a look at its end, so the walk may run into the text of the next row. What ends elsewhere than its text is refused.
 */
import { isNull, skipSpace, skipValue } from './json-scan';
import {
  ENTITY_AT,
  ENTITY_BYTES,
  EVENT_BYTES,
  eventTable,
  INPUT,
  INPUT_SLACK,
  METADATA_AT,
  METADATA_BYTES,
  PAYLOAD_AT,
  PAYLOAD_BYTES,
  TYPE_AT,
  TYPE_BYTES,
} from './layout';
import { isEntityId, isEventType, isPrintable } from './names';

/** Checks the first `count` records of the event table against an input of `bytes`; cuts white space around JSON off. */
export function checkColumns(
  bytes: usize,
  count: i32,
  payloadBytesMax: u32,
  metadataBytesMax: u32,
): bool {
  memory.fill(INPUT + bytes, 0, INPUT_SLACK);
  for (let index: i32 = 0; index < count; index++) {
    const record = eventTable() + <usize>index * EVENT_BYTES;
    const entity = INPUT + load<u32>(record, ENTITY_AT);
    const entityBytes: usize = load<u16>(record, ENTITY_BYTES);
    if (!isEventType(INPUT + load<u32>(record, TYPE_AT), load<u16>(record, TYPE_BYTES)))
      return false;
    if (!isEntityId(entity, entityBytes) || !isPrintable(entity, entityBytes)) return false;
    if (!checkJson(record + PAYLOAD_AT, payloadBytesMax)) return false;
    if (load<u32>(record, METADATA_BYTES) == 0) continue;
    if (!checkJson(record + METADATA_AT, metadataBytesMax)) return false;
    const isNone =
      load<u32>(record, METADATA_BYTES) == 4 && isNull(INPUT + load<u32>(record, METADATA_AT));
    if (isNone) store<u32>(record, 0, METADATA_BYTES);
  }
  return true;
}

/** Checks the JSON document whose offset and bytes stand at `span`, and puts those of its value there. */
function checkJson(span: usize, bytesMax: u32): bool {
  const start = INPUT + load<u32>(span);
  const end = start + load<u32>(span, 4);
  const p = skipSpace(start);
  if (p >= end) return false;
  const valueEnd = skipValue(p);
  if (valueEnd == 0 || valueEnd > end || skipSpace(valueEnd) < end) return false;
  // White space that goes on beyond the end belongs to the next row.
  store<u32>(span, <u32>(p - INPUT));
  store<u32>(span, <u32>(valueEnd - p), 4);
  return valueEnd - p <= bytesMax;
}
