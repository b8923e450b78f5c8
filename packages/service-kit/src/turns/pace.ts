/** Says when it is time to let others run, and lets them. A query budget does, and ends what takes too long. */
export interface Pace {
  readonly isTurnOver: boolean;
  nextTurn(): Promise<void>;
}
