export {
  type AllSourceEventStore,
  type AllSourceEventStoreOptions,
  getAllSourceEventStore,
} from './event-store.ts';
export {
  AllSourceConsumer,
  type AllSourceConsumerOptions,
  type AllSourceProcessor,
} from './consumer.ts';
export { type AllSourceCheckpointer, allSourceCheckpointer, consumerName } from './checkpoints.ts';
export { EventTypes, type NamedEventTypes } from './event-types.ts';
