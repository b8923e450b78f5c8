import type { AllSourceClient } from '@allsource/client/tools';

/** A running store that `allsource doctor` looks at. */
export interface ExaminedNode {
  readonly client: AllSourceClient;
  readonly url: string;
  readonly signal: AbortSignal;
}
