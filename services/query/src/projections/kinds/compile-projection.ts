import { unreachable } from '@allsource/shared/lang';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { CompiledProjection } from './compiled-projection.ts';
import { compileCustom } from './custom.ts';
import type { DefinitionValue } from './definition-members.ts';
import { compileEntitySnapshot } from './entity-snapshot.ts';
import { compileEventCounter } from './event-counter.ts';
import { compileFunnel } from './funnel.ts';
import { compileTimeSeries } from './time-series.ts';

type Computed = Pick<ProjectionDefinition, 'type' | 'definition'>;

/** Makes a definition ready to fold with. Throws `invalid_body` with a pointer into the request, the value and what is allowed. */
export async function compileProjection(wanted: Computed): Promise<CompiledProjection> {
  const definition: DefinitionValue = { value: wanted.definition, pointer: '/definition' };
  switch (wanted.type) {
    case 'entity_snapshot':
      return compileEntitySnapshot(definition);
    case 'event_counter':
      return compileEventCounter(definition);
    case 'time_series':
      return compileTimeSeries(definition);
    case 'funnel':
      return compileFunnel(definition);
    case 'custom':
      return await compileCustom(definition);
    default:
      return unreachable(wanted.type);
  }
}

/**
 * True when the events may be dealt out to several workers by their entities: each key is of one entity, or its states can be merged. Otherwise, where events are folded in the order in which
 * different entities had them, one worker must see all of them.
 */
export function mayRunInParallel({ type, definition }: Computed): boolean {
  // What is kept depends on the newest bucket, whichever entity it is of.
  if (type === 'time_series') return (definition['retention'] ?? null) === null;
  if (type !== 'custom' && type !== 'funnel') return true;
  const key = definition['key'] ?? 'entity';
  return key === 'entity';
}
