import { LIMITS } from '@allsource/shared/limits';
import { type Members, refusal, shown } from './members.ts';

const FIELD = { max: 256 };

/** A path of names with dots between them. */
export function fieldPath(members: Members, name: string): string {
  const path = members.text(name, FIELD);
  const parts = path.split('.');
  if (parts.every((part) => part !== '') && parts.length <= LIMITS.jsonDepthMax) return path;
  throw refusal(
    members.at(name),
    `'${name}' is ${shown(path)}; allowed are names with single dots between them, such as order.amount.`,
  );
}

/** The same for a member that may be left out. */
export function optionalFieldPath(members: Members, name: string): string | null {
  return members.has(name) ? fieldPath(members, name) : null;
}
