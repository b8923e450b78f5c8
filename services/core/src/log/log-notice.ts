/** What the log tells its operator without stopping: core writes it to its own log. */
export type LogNotice =
  /** A crash left the beginning of an append that was never acknowledged; its bytes are in the file named. */
  | {
      readonly kind: 'torn_tail_set_aside';
      readonly segment: string;
      readonly offset: number;
      readonly bytes: number;
      readonly savedAs: string;
    }
  /** Work beside the log failed. Nothing is lost by it: it is done again when it is needed, or it is a guard only. */
  | {
      readonly kind: 'chore_failed';
      readonly chore: 'prepare_segment' | 'protect_segment' | 'mark_head' | 'remove_file';
      readonly cause: Error;
    };

export type NoticeListener = (notice: LogNotice) => void;
