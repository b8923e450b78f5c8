/**
 * The fixed parts of an answer, as bytes of the data segment. Each is padded with zeros to a multiple of 16, for copyText reads whole blocks.
 * The number beside each is its length.
 */

/** `{"event_id":"` */
export const OPEN_EVENT_ID: usize = memory.data<u8>([
  123, 34, 101, 118, 101, 110, 116, 95, 105, 100, 34, 58, 34, 0, 0, 0,
]);
export const OPEN_EVENT_ID_BYTES: usize = 13;

/** `","timestamp":"` */
export const TIMESTAMP_NAME: usize = memory.data<u8>([
  34, 44, 34, 116, 105, 109, 101, 115, 116, 97, 109, 112, 34, 58, 34, 0,
]);
export const TIMESTAMP_NAME_BYTES: usize = 15;

/** `","version":` */
export const VERSION_NAME: usize = memory.data<u8>([
  34, 44, 34, 118, 101, 114, 115, 105, 111, 110, 34, 58, 0, 0, 0, 0,
]);
export const VERSION_NAME_BYTES: usize = 12;

/** `{"total":` */
export const TOTAL: usize = memory.data<u8>([
  123, 34, 116, 111, 116, 97, 108, 34, 58, 0, 0, 0, 0, 0, 0, 0,
]);
export const TOTAL_BYTES: usize = 9;

/** `,"ingested":` */
export const INGESTED: usize = memory.data<u8>([
  44, 34, 105, 110, 103, 101, 115, 116, 101, 100, 34, 58, 0, 0, 0, 0,
]);
export const INGESTED_BYTES: usize = 12;

/** `,"count":` */
export const COUNT: usize = memory.data<u8>([
  44, 34, 99, 111, 117, 110, 116, 34, 58, 0, 0, 0, 0, 0, 0, 0,
]);
export const COUNT_BYTES: usize = 9;

/** `,"events":[` */
export const EVENTS: usize = memory.data<u8>([
  44, 34, 101, 118, 101, 110, 116, 115, 34, 58, 91, 0, 0, 0, 0, 0,
]);
export const EVENTS_BYTES: usize = 11;

/** `],"data":[` */
export const DATA: usize = memory.data<u8>([
  93, 44, 34, 100, 97, 116, 97, 34, 58, 91, 0, 0, 0, 0, 0, 0,
]);
export const DATA_BYTES: usize = 10;

/** `,"position":` */
export const POSITION_NAME: usize = memory.data<u8>([
  44, 34, 112, 111, 115, 105, 116, 105, 111, 110, 34, 58, 0, 0, 0, 0,
]);
export const POSITION_NAME_BYTES: usize = 12;

/** `,"data":{"event_id":"` */
export const DATA_EVENT_ID: usize = memory.data<u8>([
  44, 34, 100, 97, 116, 97, 34, 58, 123, 34, 101, 118, 101, 110, 116, 95, 105, 100, 34, 58, 34, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);
export const DATA_EVENT_ID_BYTES: usize = 21;

/** `","id":"` */
export const ID_NAME: usize = memory.data<u8>([
  34, 44, 34, 105, 100, 34, 58, 34, 0, 0, 0, 0, 0, 0, 0, 0,
]);
export const ID_NAME_BYTES: usize = 8;

/** `","event_type":"` */
export const TYPE_NAME: usize = memory.data<u8>([
  34, 44, 34, 101, 118, 101, 110, 116, 95, 116, 121, 112, 101, 34, 58, 34,
]);
export const TYPE_NAME_BYTES: usize = 16;

/** `","entity_id":"` */
export const ENTITY_NAME: usize = memory.data<u8>([
  34, 44, 34, 101, 110, 116, 105, 116, 121, 95, 105, 100, 34, 58, 34, 0,
]);
export const ENTITY_NAME_BYTES: usize = 15;

/** `","tenant_id":"` */
export const TENANT_NAME: usize = memory.data<u8>([
  34, 44, 34, 116, 101, 110, 97, 110, 116, 95, 105, 100, 34, 58, 34, 0,
]);
export const TENANT_NAME_BYTES: usize = 15;

/** `","payload":` */
export const PAYLOAD_NAME: usize = memory.data<u8>([
  34, 44, 34, 112, 97, 121, 108, 111, 97, 100, 34, 58, 0, 0, 0, 0,
]);
export const PAYLOAD_NAME_BYTES: usize = 12;

/** `,"timestamp":"` */
export const AFTER_PAYLOAD: usize = memory.data<u8>([
  44, 34, 116, 105, 109, 101, 115, 116, 97, 109, 112, 34, 58, 34, 0, 0,
]);
export const AFTER_PAYLOAD_BYTES: usize = 14;

/** `","metadata":` */
export const METADATA_NAME: usize = memory.data<u8>([
  34, 44, 34, 109, 101, 116, 97, 100, 97, 116, 97, 34, 58, 0, 0, 0,
]);
export const METADATA_NAME_BYTES: usize = 13;

/** `null` */
export const NULL: usize = memory.data<u8>([
  110, 117, 108, 108, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);
export const NULL_BYTES: usize = 4;

/** `,"version":` */
export const VERSION_AFTER: usize = memory.data<u8>([
  44, 34, 118, 101, 114, 115, 105, 111, 110, 34, 58, 0, 0, 0, 0, 0,
]);
export const VERSION_AFTER_BYTES: usize = 11;

/** `,"recorded_at":"` */
export const RECORDED_AT_NAME: usize = memory.data<u8>([
  44, 34, 114, 101, 99, 111, 114, 100, 101, 100, 95, 97, 116, 34, 58, 34,
]);
export const RECORDED_AT_NAME_BYTES: usize = 16;
