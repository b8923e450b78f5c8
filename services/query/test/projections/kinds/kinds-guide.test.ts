/** The examples of docs/guides/projection-types.md: each definition, folded over the events of the guide, has the states that the guide shows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { parseTimestamp } from '@allsource/shared/model';
import { type ProjectionType, TypeFilter } from '@allsource/shared/protocol';
import { eventsOf, folded } from './folded-states.ts';

const GUIDE = readFileSync(
  join(import.meta.dirname, '../../../../../docs/guides/projection-types.md'),
  'utf8',
);

interface Creation {
  readonly name: string;
  readonly type: ProjectionType;
  readonly event_types?: readonly string[];
  readonly definition: Readonly<Record<string, unknown>>;
}

interface Line {
  readonly event_type: string;
  readonly entity_id: string;
  readonly timestamp: string;
  readonly payload: unknown;
}

function blocks(language: string): string[] {
  return [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text = '']) => text,
  );
}

function events() {
  const lines = (blocks('ndjson')[0] ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return eventsOf(
    lines.map((line) => ({
      eventType: line.event_type,
      entityId: line.entity_id,
      timestamp: must(parseTimestamp(line.timestamp), 'an instant'),
      payload: JSON.stringify(line.payload),
    })),
  );
}

function examples(): [string, Creation, unknown][] {
  const all = blocks('json').map((text) => JSON.parse(text) as unknown);
  return Array.from({ length: all.length / 2 }, (_, index) => {
    const creation = all[index * 2] as Creation;
    return [creation.name, creation, all[index * 2 + 1]];
  });
}

/** Numbers to four digits, which is how the guide prints medians. */
function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_name, member: unknown) =>
    typeof member === 'number' ? Number(member.toPrecision(5)) : member,
  ) as unknown;
}

describe('the guide to the types of projections', () => {
  it('has an example of each', () => {
    const types = examples().map(([, { type }]) => type);
    expect(types).toEqual([
      'entity_snapshot',
      'event_counter',
      'time_series',
      'funnel',
      'custom',
      'custom',
    ]);
  });

  it.each(examples())('shows the states of %s as they are', async (_, creation, states) => {
    const filter = new TypeFilter(creation.event_types ?? []);
    const taken = events().filter(({ eventType }) => filter.matches(eventType));
    const shown = await folded(creation.type, creation.definition, taken);
    expect(rounded(Object.fromEntries(shown))).toEqual(rounded(states));
  });
});
