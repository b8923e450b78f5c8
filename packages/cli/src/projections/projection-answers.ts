import { formatCount, formatDuration } from '../terminal/table.ts';

/** A JSON object of an answer. */
export type Answer = Readonly<Record<string, unknown>>;

/** A JSON text that is an object; anything else is read as an empty one. */
export function parseAnswer(json: string): Answer {
  const value: unknown = JSON.parse(json);
  return isAnswer(value) ? value : {};
}

/** The objects of a list in an answer. */
export function rowsOf(answer: Answer, name: string): Answer[] {
  const value = answer[name];
  return Array.isArray(value) ? value.filter(isAnswer) : [];
}

export function objectOf(answer: Answer, name: string): Answer {
  const value = answer[name];
  return isAnswer(value) ? value : {};
}

/** A member as text for people; `-` where there is none. */
export function shown(value: unknown): string {
  if (typeof value === 'number')
    return Number.isInteger(value) ? formatCount(value) : String(value);
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' ? String(value) : '-';
}

/** How far behind a projection is, in events and in time. */
export function lagText({ lag_events, lag_seconds }: Answer): string {
  if (typeof lag_events !== 'number') return '-';
  if (lag_events === 0 || typeof lag_seconds !== 'number') return formatCount(lag_events);
  return `${formatCount(lag_events)} (${formatDuration(lag_seconds * 1000)})`;
}

/** The status of a projection, with the word that must not be missed. */
export function statusText({ status, is_stalled }: Answer): string {
  return `${shown(status)}${is_stalled === true ? ', STALLED' : ''}`;
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
