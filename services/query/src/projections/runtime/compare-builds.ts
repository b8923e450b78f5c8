import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildComparison } from '../projection-runtime.ts';
import type { Build } from './build.ts';
import type { BuildSummary } from './host-protocol.ts';

/** Keys that a sample takes in, about. */
const SAMPLE_KEYS = 1_000;
const EXAMPLES_MAX = 10;
/** How far ahead both are first asked to meet while events come in. */
const AHEAD_MIN = 16;
const TRY_MS = 2_000;
const BETWEEN_MS = 50;
const TRIES_MAX = 10;

/**
 * Compares two builds that both follow the log, at one position at which both have stood: how many keys they show, and what readers see of a sample of keys. Null when they could not
 * be met at the same position.
 */
export async function compareBuilds(
  live: Build,
  next: Build,
  signal: AbortSignal,
): Promise<BuildComparison | null> {
  const rows = Math.max(live.progress.shownRows, next.progress.shownRows);
  const oneIn = Math.max(1, Math.ceil(rows / SAMPLE_KEYS));
  // One that was past it already says so at once; then it lies further ahead.
  for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries++) {
    const at = meetingPoint(live, next, AHEAD_MIN * 2 ** tries);
    const [before, after] = await withinTime(
      Promise.all([live.summarize(at, oneIn), next.summarize(at, oneIn)]),
      signal,
    );
    if (before !== null && after !== null && before[0]?.position === after[0]?.position)
      return compare(before, after, live.spec.build);
    await sleep(BETWEEN_MS, undefined, { signal }).catch(() => {});
  }
  return null;
}

type Both = readonly [BuildSummary[] | null, BuildSummary[] | null];
const NEITHER: Both = [null, null];

/** What comes of it if it comes in time. */
async function withinTime(work: Promise<Both>, signal: AbortSignal): Promise<Both> {
  const done = new AbortController();
  const tooLate = sleep(TRY_MS, NEITHER, { signal: AbortSignal.any([signal, done.signal]) });
  try {
    return await Promise.race([work, tooLate]).catch(() => NEITHER);
  } finally {
    done.abort();
    tooLate.catch(() => {});
  }
}

/** Where no events come in, both stand still at the same position; otherwise it must lie ahead of both. */
function meetingPoint(live: Build, next: Build, ahead: number): number {
  if (live.folded === next.folded) return live.folded;
  return Math.max(live.folded, next.folded, live.knownHead, next.knownHead) + ahead;
}

function compare(
  before: readonly BuildSummary[],
  after: readonly BuildSummary[],
  build: number,
): BuildComparison {
  const [old, current] = [sampleOf(before), sampleOf(after)];
  const keys = new Set([...old.keys(), ...current.keys()]);
  const comparable = [...keys].filter((key) => old.get(key) !== '' && current.get(key) !== '');
  const different = comparable.filter((key) => old.get(key) !== current.get(key));
  return {
    with_build: build,
    position: after[0]?.position ?? 0,
    rows: rowsOf(after),
    rows_before: rowsOf(before),
    keys_compared: comparable.length,
    keys_equal: comparable.length - different.length,
    examples: different.slice(0, EXAMPLES_MAX),
  };
}

/** Digests by key; empty for a key that several workers hold a part of, which alone say nothing. */
function sampleOf(summaries: readonly BuildSummary[]): Map<string, string> {
  const sample = new Map<string, string>();
  const isShared = summaries.length > 1 && summaries.some(({ hasSharedKeys }) => hasSharedKeys);
  for (const { sample: part } of summaries)
    for (const { key, digest } of part) sample.set(key, isShared ? '' : digest);
  return sample;
}

function rowsOf(summaries: readonly BuildSummary[]): number {
  return summaries.reduce((sum, { rows }) => sum + rows, 0);
}
