/**
 * What a command makes of a definition. A command is a changed definition, durable before it is answered: so it survives every restart, and who carries it out needs
 * no memory of commands. Null: the definition says so already, and nothing is written.
 */
import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { BuildInfo, ProjectionState } from '../projections/projection-runtime.ts';
import { type ProjectionDocument, withNextBuild } from './projection-document.ts';

/** What is known of a projection when a command comes: its definition, and what it does; null: not known yet. */
export interface CommandedProjection {
  readonly definition: ProjectionDefinition;
  readonly state: ProjectionState | null;
}

export type Command = (projection: CommandedProjection) => ProjectionDocument | null;

/** Runs from now on, from where it stands. A failed one tries again: then the definition is written again although it wants the same. */
export const start: Command = ({ definition, state }) =>
  definition.wanted === 'running' && state?.status !== 'failed'
    ? null
    : { ...definition, wanted: 'running' };

/** Stays where it is, ready to go on. */
export const pause: Command = ({ definition }) => {
  if (definition.wanted === 'paused') return null;
  requireStarted(definition, 'paused');
  return { ...definition, wanted: 'paused' };
};

/** Stays where it is, and gives back what it holds but for its files. */
export const stop: Command = ({ definition }) => {
  if (definition.wanted === 'stopped') return null;
  if (definition.wanted === 'created') throw wrongStatus(definition, 'stopped', 'Start it first.');
  return { ...definition, wanted: 'stopped' };
};

/** Computes everything again, beside what is read, and runs. */
export const rebuild: Command = ({ definition }) => {
  if (definition.wanted === 'created')
    throw wrongStatus(
      definition,
      'rebuilt',
      'Start it: its first build begins with the first event.',
    );
  return withNextBuild(definition, { ...definition, wanted: 'running' });
};

/** Reads a build that was made before, at once; the newest one again when that is asked for. Null: the newest of those that were read before. */
export function rollback(wanted: number | null): Command {
  return ({ definition, state }) => {
    if (wanted === definition.build) return { ...definition, pinned_build: null };
    const kept = goBackTo(definition, state?.builds ?? []);
    // While a newer build is made, going back is to stay with the one that is read.
    const target = kept.find((build) =>
      wanted === null ? build !== definition.pinned_build : build === wanted,
    );
    if (target === undefined) throw noSuchBuild(definition, { wanted, kept });
    return definition.pinned_build === target ? null : { ...definition, pinned_build: target };
  };
}

/** The builds that can be read at once, and computed again if they are lost; the newest first. */
function goBackTo({ earlier = [] }: ProjectionDefinition, builds: readonly BuildInfo[]): number[] {
  const ready = builds.filter(({ status }) => ['live', 'previous', 'ready'].includes(status));
  return ready
    .map(({ build }) => build)
    .filter((build) => earlier.some((known) => known.build === build));
}

function requireStarted(definition: ProjectionDefinition, what: string): void {
  if (definition.wanted !== 'running') throw wrongStatus(definition, what, 'Start it first.');
}

function wrongStatus({ name, wanted }: ProjectionDefinition, what: string, advice: string): Error {
  return problem(
    'wrong_status',
    `The projection ${quoted(name)} is ${wanted} and cannot be ${what}. ${advice}`,
    { projection_status: wanted },
  );
}

function noSuchBuild(
  { name }: ProjectionDefinition,
  { wanted, kept }: { readonly wanted: number | null; readonly kept: readonly number[] },
): Error {
  const found = kept.length === 0 ? 'no other build is kept' : `kept are ${kept.join(', ')}`;
  const which = wanted === null ? 'an earlier build' : `build ${wanted}`;
  return problem(
    'wrong_status',
    `The projection ${quoted(name)} cannot go back to ${which}: ${found}.`,
    { builds: kept },
  );
}
