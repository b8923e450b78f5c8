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
    }
  /** A disk error has stopped the writer, or another writer has: no append is taken until the log is opened again; reads go on. */
  | { readonly kind: 'writer_poisoned'; readonly cause: Error }
  /** An append found no space. Told once, until there is space again. */
  | { readonly kind: 'disk_full'; readonly cause: Error }
  | { readonly kind: 'space_again' }
  /** A segment has been compressed; the sealed file has taken the raw one's place. */
  | {
      readonly kind: 'segment_sealed';
      readonly segment: string;
      readonly rawBytes: number;
      readonly sealedBytes: number;
      readonly tookMs: number;
    }
  /** A segment could not be sealed and stays as it is; it is tried again later. */
  | { readonly kind: 'sealing_failed'; readonly segment: string; readonly cause: Error }
  /** A file could not be named or removed for sure: nothing more is sealed until the next start. Nothing is lost. */
  | { readonly kind: 'sealing_stopped'; readonly cause: Error }
  /** A segment was there as a raw and as a sealed file; the one that is whole stays, and the other was moved aside. */
  | {
      readonly kind: 'copy_set_aside';
      readonly segment: string;
      readonly kept: string;
      readonly reason: string;
      readonly savedAs: string;
    };

export type NoticeListener = (notice: LogNotice) => void;
