import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { UpcastFault } from '../upcasting/mapping-run.ts';
import type { PayloadFunctions } from '../upcasting/upcasts.ts';
import type { FunctionAnswer, FunctionCall } from './loaded-functions.ts';

/** Functions that are called in a thread, with a limit to the calls that wait for it. Throws `overloaded` beyond that. */
export class ThreadedFunctions implements PayloadFunctions {
  readonly #run: (call: FunctionCall) => Promise<FunctionAnswer>;
  #waiting = 0;

  /** `run` does a call in the thread, after those before it. */
  constructor(run: (call: FunctionCall) => Promise<FunctionAnswer>) {
    this.#run = run;
  }

  async call(source: string, payload: string): Promise<string> {
    if (this.#waiting >= LIMITS.upcastCallsWaitingMax) throw overloaded();
    this.#waiting += 1;
    try {
      const answer = await this.#run({ source, payload });
      if ('text' in answer) return answer.text;
      throw new UpcastFault(`the function fails: ${answer.fault}`);
    } finally {
      this.#waiting -= 1;
    }
  }
}

function overloaded(): Error {
  const limit = LIMITS.upcastCallsWaitingMax;
  return problem(
    'overloaded',
    `${limit} calls of upcasters that are functions wait already. Try again.`,
    { limit },
  );
}
