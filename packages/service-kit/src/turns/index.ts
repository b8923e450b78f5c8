export { IdleTime } from './idle-time.ts';
export type { Pace } from './pace.ts';
export { ReaderGone, ScanTurns, type ScanTurnsOptions } from './scan-turns.ts';
export { mergedInTurns, type Slices, sortInTurns } from './sort-in-turns.ts';
export { TURN_MS, Turns } from './turns.ts';
