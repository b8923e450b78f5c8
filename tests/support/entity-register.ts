/**
 * The checker of one entity as a register of versions. Each conditional append says "at version e, add n events"; it either moves the register from e to e + n or, as a
 * conflict, reads another version than e. A history is linearizable when every operation can be given one instant between its call and its answer so that, one
 * after the other, they do what they were answered, and the writes are those of the log.
 *
 * The log fixes the order of the writes, so no search is needed: walk the log, give each write the earliest instant it can have (not before its call and not
 * before anything placed so far), then each conflict that read this version, likewise; an operation whose earliest instant is not before its answer proves that there
 * is no order. Conflicts that read one version do not constrain each other.
 */

/** Instants are ticks of one counter: each call and each answer has its own. */
export interface RegisterOperation {
  readonly key: string;
  readonly expected: number;
  /** Events of the append. */
  readonly count: number;
  readonly calledAt: number;
  /** Infinity for an unknown outcome. */
  readonly answeredAt: number;
  readonly outcome:
    | { readonly kind: 'acknowledged'; readonly versions: readonly number[] }
    | { readonly kind: 'conflict'; readonly current: number }
    | { readonly kind: 'unknown' };
}

/** One append of the entity as the log holds it, in the order of the log. */
export interface RegisterWrite {
  readonly key: string;
  readonly versions: readonly number[];
}

/** What is wrong with the history of one entity; empty when it is linearizable and each version has one winner. */
export function registerFaults(
  operations: readonly RegisterOperation[],
  log: readonly RegisterWrite[],
): string[] {
  const byKey = new Map(operations.map((operation) => [operation.key, operation]));
  return [
    ...winnerFaults(byKey, log),
    ...answerFaults(operations, log),
    ...orderFaults(operations, { byKey, log }),
  ];
}

/** Each version has exactly one winner, which was acknowledged or never answered, and whose condition held. */
function winnerFaults(
  byKey: ReadonlyMap<string, RegisterOperation>,
  log: readonly RegisterWrite[],
): string[] {
  const faults: string[] = [];
  let version = 0;
  for (const { key, versions } of log) {
    const operation = byKey.get(key);
    const expectedVersions = versions.map((_, index) => version + index + 1);
    if (String(versions) !== String(expectedVersions))
      faults.push(`${key} has versions ${versions.join()} behind version ${version}`);
    if (operation === undefined) faults.push(`${key} is in the log and nobody sent it`);
    else if (operation.outcome.kind === 'conflict')
      faults.push(`${key} is in the log and was answered with a conflict`);
    else if (operation.expected !== version)
      faults.push(`${key} expects version ${operation.expected} and stands behind ${version}`);
    else if (operation.count !== versions.length)
      faults.push(`${key} has ${operation.count} events and ${versions.length} are in the log`);
    version += versions.length;
  }
  const winners = new Set(log.map(({ key }) => key));
  if (winners.size !== log.length) faults.push('a key is in the log more than once');
  return faults;
}

/** An acknowledged append is in the log with the versions of its answer. */
function answerFaults(
  operations: readonly RegisterOperation[],
  log: readonly RegisterWrite[],
): string[] {
  const stored = new Map(log.map(({ key, versions }) => [key, String(versions)]));
  return operations.flatMap(({ key, outcome }) => {
    if (outcome.kind !== 'acknowledged') return [];
    const found = stored.get(key);
    if (found === undefined) return [`${key} was acknowledged and is not in the log`];
    const isSame = found === String(outcome.versions);
    return isSame ? [] : [`${key} was acknowledged as ${outcome.versions.join()} and is ${found}`];
  });
}

function orderFaults(
  operations: readonly RegisterOperation[],
  history: {
    readonly byKey: ReadonlyMap<string, RegisterOperation>;
    readonly log: readonly RegisterWrite[];
  },
): string[] {
  const faults: string[] = [];
  const readers = conflictsByVersion(operations);
  let instant = 0;
  const placeReaders = (version: number) => {
    const reading = readers.get(version) ?? [];
    readers.delete(version);
    for (const reader of reading)
      if (instant >= reader.answeredAt)
        faults.push(`${reader.key} read version ${version} too late`);
    // Each can stand at its own call or at the version's beginning; what follows stands behind the last of them.
    instant = reading.reduce((latest, { calledAt }) => Math.max(latest, calledAt), instant);
  };
  placeReaders(0);
  for (const { key, versions } of history.log) {
    const operation = history.byKey.get(key);
    if (operation === undefined) continue;
    instant = Math.max(instant, operation.calledAt);
    if (instant >= operation.answeredAt)
      faults.push(`${key} stands behind what began after its answer`);
    placeReaders(versions.at(-1) ?? 0);
  }
  for (const [version, reading] of readers)
    for (const { key } of reading) faults.push(`${key} read version ${version}, which never was`);
  return faults;
}

function conflictsByVersion(
  operations: readonly RegisterOperation[],
): Map<number, RegisterOperation[]> {
  const readers = new Map<number, RegisterOperation[]>();
  for (const operation of operations) {
    if (operation.outcome.kind !== 'conflict') continue;
    const { current } = operation.outcome;
    const reading = readers.get(current);
    if (reading === undefined) readers.set(current, [operation]);
    else reading.push(operation);
  }
  return readers;
}
