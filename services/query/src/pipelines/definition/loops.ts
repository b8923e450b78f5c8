import { problem } from '@allsource/shared/errors';
import { TypeFilter } from '@allsource/shared/protocol';
import { emittedTypes } from './output-definition.ts';
import type { Pipeline } from './pipeline-definition.ts';

/** What a pipeline reads and what it writes. */
export type Passage = Pick<Pipeline, 'id' | 'sourceEventTypes' | 'output'>;

/**
 * Refuses a pipeline that would feed itself, directly or by way of other pipelines of the tenant: each of its events would make another one
 * for ever. What cannot be seen in the definitions is cut at run time by the number of hops.
 */
export function requireNoLoop(pipeline: Passage, others: readonly Passage[]): void {
  const all = [pipeline, ...others.filter(({ id }) => id !== pipeline.id)];
  const readers = all.map((one) => ({ one, filter: new TypeFilter(one.sourceEventTypes) }));
  const cameFrom = new Map<Passage, { readonly from: Passage; readonly type: string }>();
  const waiting: Passage[] = [pipeline];
  for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
    for (const type of emittedTypes(from.output)) {
      for (const { one, filter } of readers) {
        if (!filter.matches(type)) continue;
        if (one === pipeline) throw loop(pathTo(from, cameFrom), type);
        if (cameFrom.has(one)) continue;
        cameFrom.set(one, { from, type });
        waiting.push(one);
      }
    }
  }
}

function pathTo(
  end: Passage,
  cameFrom: ReadonlyMap<Passage, { readonly from: Passage; readonly type: string }>,
): string[] {
  const path: string[] = [];
  for (let step = cameFrom.get(end); step !== undefined; step = cameFrom.get(step.from))
    path.unshift(step.type);
  return path;
}

function loop(before: readonly string[], last: string): Error {
  const types = [...before, last];
  const way = types.join(', which is read to write ');
  return problem(
    'invalid_body',
    `The pipeline would feed itself: it writes ${way}, which it reads. Name its sources so that they do not match what comes of it.`,
    { pointer: '/source_event_types', event_types: types },
  );
}
