import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import type { Body } from './body-members.ts';

/** A projection that can be created by its name alone. Every member but `template` may be given otherwise in the request. */
export interface ProjectionTemplate {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What clients of AllSource sort templates by. */
  readonly kind: 'counter' | 'snapshot' | 'series';
  /** The members of a creation. */
  readonly body: Body;
}

export const PROJECTION_TEMPLATES: readonly ProjectionTemplate[] = [
  {
    name: 'event-count',
    title: 'Events by type',
    description: 'Counts the events of each event type.',
    kind: 'counter',
    body: { type: 'event_counter', definition: { by: 'event_type' } },
  },
  {
    name: 'entity-event-count',
    title: 'Events by entity',
    description: 'Counts the events of each entity.',
    kind: 'counter',
    body: { type: 'event_counter', definition: { by: 'entity' } },
  },
  {
    name: 'entity-state',
    title: 'State of each entity',
    description: 'The payloads of an entity, each laid over those before it.',
    kind: 'snapshot',
    body: { type: 'entity_snapshot', definition: {} },
  },
  {
    name: 'events-per-hour',
    title: 'Events per hour',
    description: 'Counts the events of each hour, by when they happened.',
    kind: 'series',
    body: { type: 'time_series', definition: { bucket: 'hour' } },
  },
  {
    name: 'events-per-day',
    title: 'Events per day',
    description: 'Counts the events of each day, by when they happened.',
    kind: 'series',
    body: { type: 'time_series', definition: { bucket: 'day' } },
  },
];

/** What a template says, as the body of a creation. Throws `not_found` with the templates that there are. */
export function templateOf(name: string): Body {
  const template = PROJECTION_TEMPLATES.find((known) => known.name === name);
  if (template !== undefined)
    return { name: template.name, description: template.description, ...template.body };
  const known = PROJECTION_TEMPLATES.map((each) => each.name);
  throw problem(
    'not_found',
    `There is no template ${quoted(name)}; there are ${known.join(', ')}.`,
    { pointer: '/template', allowed: known },
  );
}
