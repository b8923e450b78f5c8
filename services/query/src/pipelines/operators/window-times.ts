import { formatTimestamp, micros } from '@allsource/shared/model';
import type { WindowDefinition } from '../definition/operator-definition.ts';

const MICROS = 1_000_000;

/** The times of a window operator, in microseconds. */
export interface WindowTimes {
  readonly size: number;
  readonly slide: number;
  readonly timeout: number;
  readonly lateness: number;
}

/** The times that a definition names in seconds. */
export function windowTimes(definition: WindowDefinition): WindowTimes {
  const { sizeSeconds, slideSeconds, sessionTimeoutSeconds, allowedLatenessSeconds } = definition;
  const size = Math.round(sizeSeconds * MICROS);
  return {
    size,
    slide: definition.windowType === 'sliding' ? Math.round(slideSeconds * MICROS) : size,
    timeout: Math.round(sessionTimeoutSeconds * MICROS),
    lateness: Math.round(allowedLatenessSeconds * MICROS),
  };
}

/** The starts of the windows that hold an instant, the earliest first. Windows begin at whole multiples of the slide since 1970. */
export function startsOf(instant: number, { size, slide }: WindowTimes): number[] {
  const starts: number[] = [];
  for (let start = Math.floor(instant / slide) * slide; start > instant - size; start -= slide)
    starts.unshift(start);
  return starts;
}

/** An instant as it is written in outputs and keys. */
export function instantText(instant: number): string {
  return formatTimestamp(micros(instant));
}
