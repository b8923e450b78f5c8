import { formatTable } from '../terminal/table.ts';
import { type Answer, lagText, objectOf, rowsOf, shown, statusText } from './projection-answers.ts';

/** Projections, one a line. */
export function projectionsTable(rows: readonly Answer[]): string[] {
  return formatTable([
    ['NAME', 'TYPE', 'STATUS', 'BUILD', 'POSITION', 'LAG', 'PARKED', 'ERRORS', ''],
    ...rows.map((row) => [
      shown(row['name']),
      shown(row['type']),
      statusText(row),
      shown(row['version']),
      shown(row['position']),
      lagText(row),
      shown(row['parked_entities']),
      shown(row['error_count']),
      reasonOf(row),
    ]),
  ]);
}

/** Why a projection does not do what it should; empty when it does. */
function reasonOf({ detail }: Answer): string {
  return typeof detail === 'string' ? detail : '';
}

/** Everything about one projection that a person looks for. */
export function projectionView(answer: Answer): string[] {
  const stats = objectOf(answer, 'stats');
  const types = Array.isArray(answer['event_types']) ? answer['event_types'] : [];
  const lines = formatTable([
    ['name', shown(answer['name'])],
    ['type', shown(answer['type'])],
    ['description', shown(answer['description'])],
    ['event types', types.length === 0 ? 'all' : types.join(', ')],
    ['status', statusText(answer)],
    ['wanted', shown(answer['wanted_status'])],
    ['why', shown(answer['detail'])],
    ['position', shown(answer['position'])],
    ['lag', lagText(answer)],
    ['events', shown(stats['events_processed'])],
    ['last event', shown(stats['last_event_at'])],
    ['last checkpoint', shown(stats['last_checkpoint_at'])],
    ['average', typeof stats['avg_us'] === 'number' ? `${stats['avg_us']} µs/event` : '-'],
    ['errors', shown(stats['error_count'])],
    ['last error', shown(stats['last_error'])],
    [
      'parked',
      `${shown(answer['parked_entities'])} entities, ${shown(answer['parked_events'])} events`,
    ],
    ['created', shown(answer['created_at'])],
    ['changed', shown(answer['updated_at'])],
  ]);
  const builds = rowsOf(answer, 'builds');
  return builds.length === 0 ? lines : [...lines, '', ...buildsTable(builds)];
}

function buildsTable(builds: readonly Answer[]): string[] {
  return formatTable([
    ['BUILD', 'STATUS', 'POSITION', 'ROWS', 'COMPARED', ''],
    ...builds.map((build) => [
      shown(build['build']),
      shown(build['status']),
      shown(build['position']),
      shown(build['rows']),
      comparedText(objectOf(build, 'compared')),
      typeof build['note'] === 'string' ? build['note'] : '',
    ]),
  ]);
}

function comparedText({ with_build, rows_before, keys_compared, keys_equal }: Answer): string {
  if (typeof with_build !== 'number') return '-';
  return `with build ${with_build}: ${shown(rows_before)} rows, ${shown(keys_equal)} of ${shown(keys_compared)} states equal`;
}

/** Parked entities, one a line. */
export function parkedTable(rows: readonly Answer[]): string[] {
  return formatTable([
    ['ENTITY', 'POSITION', 'EVENT TYPE', 'WAITING', 'TRIES', 'SINCE', 'WHY'],
    ...rows.map((row) =>
      [
        'entity_id',
        'position',
        'event_type',
        'events_waiting',
        'attempts',
        'parked_at',
        'reason',
      ].map((name) => shown(row[name])),
    ),
  ]);
}
