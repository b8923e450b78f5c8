import { type Problem, problem, type ProblemMembers } from '@allsource/shared/errors';

/** An event that cannot be folded: one sentence for the owner of the projection, who can mend the definition or leave the event out. */
export function projectionFault(detail: string, members: ProblemMembers = {}): Problem {
  return problem('projection_fault', detail, members);
}
