import { formatTimestamp, micros } from '@allsource/shared/model';
import type { ResultRow } from '../pipelines/pipeline-results.ts';

/** A row as JSON. Its value has the bytes that the operators have left. */
export function rowJson({ key, value, position, updatedAt }: ResultRow): string {
  const time = formatTimestamp(micros(updatedAt));
  return `{"key":${JSON.stringify(key)},"value":${value ?? 'null'},"position":${position},"updated_at":"${time}"}`;
}
