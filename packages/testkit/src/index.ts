export { type EventLog, type EventLogName, eventLog, type LoggedEvent } from './event-log.ts';
export { SeededRandom } from './seeded-random.ts';
