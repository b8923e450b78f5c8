import { formatTimestamp, type Micros } from '@allsource/shared/model';
import { isEnded, type ReplayRecord } from '../replay/replay-record.ts';

/** A replay as clients see it: its progress, what was asked for, and what has come of it. */
export function replayJson(record: ReplayRecord) {
  const { request, totalEvents, processedEvents, activeMs } = record;
  const { filter, config } = request;
  const eventsPerSecond = activeMs === 0 ? 0 : Math.round((processedEvents / activeMs) * 1000);
  return {
    replay_id: record.id,
    projection_name: request.projection ?? 'all',
    status: record.status,
    created_at: formatTimestamp(record.createdAt),
    started_at: formatTimestamp(record.startedAt ?? record.createdAt),
    updated_at: formatTimestamp(record.updatedAt),
    completed_at: instant(record.completedAt),
    total_events: totalEvents,
    processed_events: processedEvents,
    failed_events: 0,
    progress_percentage: percentage(record),
    events_per_second: eventsPerSecond,
    estimated_seconds_left: secondsLeft(record, eventsPerSecond),
    error_message: record.message,
    filters: {
      entity_id: filter.entity,
      event_types: filter.types,
      from_timestamp: instant(filter.from),
      to_timestamp: instant(filter.to),
    },
    config: {
      batch_size: config.batchEvents,
      parallel: config.workers > 1,
      workers: config.workers,
      emit_progress: config.progressEvents !== null,
      progress_interval: config.progressEvents,
    },
    results: record.outcomes.map(({ projection, replaced, keyCount, digest }) => ({
      projection_name: projection,
      replaced,
      key_count: keyCount,
      digest,
    })),
    initiated_by: request.initiatedBy,
  };
}

function instant(at: Micros | null): string | null {
  return at === null ? null : formatTimestamp(at);
}

function percentage({ status, totalEvents, processedEvents }: ReplayRecord): number {
  if (status === 'completed') return 100;
  if (totalEvents === 0) return 0;
  // The last step is the switch.
  return Math.min(99.9, Math.round((processedEvents / totalEvents) * 1000) / 10);
}

function secondsLeft(record: ReplayRecord, eventsPerSecond: number): number | null {
  if (isEnded(record.status)) return 0;
  if (eventsPerSecond === 0) return null;
  return Math.ceil((record.totalEvents - record.processedEvents) / eventsPerSecond);
}
