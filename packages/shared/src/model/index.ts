export { type Clock, systemClock } from './clock.ts';
export {
  EVENT_ID_BYTES,
  formatEventId,
  isUuid,
  positionOfEventId,
  writeEventId,
} from './event-id.ts';
export {
  CONSUMER_ID_BYTES_MAX,
  consumerIdFault,
  ENTITY_ID_BYTES_MAX,
  EVENT_TYPE_BYTES_MAX,
  entityIdFault,
  eventTypeFault,
  projectionNameFault,
  quoted,
  SYSTEM_TENANT,
  SYSTEM_TYPE_PREFIX,
  tenantIdFault,
} from './names.ts';
export { PARTITION_COUNT_DEFAULT, partitionOf } from './partition.ts';
export { type Position, POSITION_ZERO, position, positionAfter } from './position.ts';
export {
  EVENT_TIMESTAMP_MIN,
  formatTimestamp,
  type Micros,
  micros,
  parseTimestamp,
} from './timestamp.ts';
export { type Version, VERSION_ZERO, version } from './version.ts';
