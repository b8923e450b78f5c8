import type { JsonSchema } from './json-schema.ts';
import { ACCESS_SHAPES } from './shapes/access.ts';
import { EVENT_SHAPES } from './shapes/events.ts';
import { PIPELINE_SHAPES } from './shapes/pipelines.ts';
import { PROJECTION_SHAPES } from './shapes/projections.ts';
import { PROBLEM_SHAPES } from './shapes/problems.ts';
import { REPLAY_SHAPES } from './shapes/replays.ts';
import { STATE_SHAPES } from './shapes/states.ts';

/** The shapes that several routes answer or take, by name: the `components/schemas` of the documents. */
export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  ...PROBLEM_SHAPES,
  ...EVENT_SHAPES,
  ...STATE_SHAPES,
  ...PROJECTION_SHAPES,
  ...PIPELINE_SHAPES,
  ...REPLAY_SHAPES,
  ...ACCESS_SHAPES,
};
