/** Asks a thread to end itself, between two steps of its own. */
export const END = null;

/** What goes between a thread and who gives it jobs. */
export interface ThreadRequest<Job> {
  readonly id: number;
  readonly job: Job;
}

export type ThreadAnswer<Report> =
  | { readonly kind: 'done'; readonly id: number; readonly report: Report }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly message: string;
      /** The code of the problem; null for what the system said. */
      readonly problem: string | null;
      /** What the system said, such as ENOSPC of a write; null for a problem. */
      readonly system: { readonly code: string; readonly syscall: string } | null;
    };
