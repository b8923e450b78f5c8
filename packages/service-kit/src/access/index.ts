export { AccessSink } from './access-sink.ts';
export { FreshAccess, type FreshAccessOptions } from './fresh-access.ts';
