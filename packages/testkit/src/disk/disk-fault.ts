/** What a simulated disk can be made to do wrong, call by call. */

/** The calls of a disk and of its files. A `fill` is followed by a `datasync` of its own, as on the real disk. */
export const DISK_CALLS = [
  'list',
  'makeFolder',
  'create',
  'open',
  'size',
  'read',
  'write',
  'fill',
  'datasync',
  'rename',
  'unlink',
  'protect',
  'syncFolder',
] as const;

export type DiskCall = (typeof DISK_CALLS)[number];

/** The calls that change or sync something: the points at which a crash leaves another disk than at the point before. */
export const CHANGING_CALLS: readonly DiskCall[] = [
  'write',
  'fill',
  'datasync',
  'create',
  'rename',
  'unlink',
  'syncFolder',
];

/** How a call goes wrong without saying so. To make one fail, the hook throws (`diskError`). */
export type DiskFault =
  /** A write or a sync that reports success and does nothing. */
  | { readonly kind: 'dropped' }
  /** A write that lands at another offset, or in another file. */
  | { readonly kind: 'misdirected'; readonly offset: number; readonly name?: string }
  /** A call that waits first, and fails when its wait does. Calls that block do not wait; their hook may turn a fake clock. */
  | { readonly kind: 'stalled'; readonly wait: () => Promise<void> };

/** Sees every call before it happens. It may throw in its place; a write that is refused so has written its first half. */
export type DiskHook = (call: DiskCall, name: string) => DiskFault | void;

/** An error as the operating system throws it. */
export function diskError(code: string, name: string): Error {
  return Object.assign(new RangeError(`${code}: ${name}`), { code });
}

/** Counts the calls that pass its filter and fails some of them. */
export interface FaultAtCall {
  readonly hook: DiskHook;
  /** How many calls have passed the filter so far. */
  readonly seen: () => number;
}

/** A hook that fails the `nth` call of one kind, 1 = the first, and the calls behind it up to `inARow`. */
export function failAtCall(fault: {
  readonly code: string;
  readonly call: DiskCall;
  readonly nth: number;
  readonly inARow?: number;
}): FaultAtCall {
  const { code, call: kind, nth, inARow = 1 } = fault;
  let seen = 0;
  return {
    seen: () => seen,
    hook: (call, name) => {
      if (call !== kind) return;
      seen += 1;
      if (seen >= nth && seen < nth + inARow) throw diskError(code, name);
    },
  };
}
