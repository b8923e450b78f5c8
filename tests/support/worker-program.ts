/**
 * A projection worker as a process of its own, to be killed. It lists the numbers of the events it has applied, in their order, and prints how far it is
 * after each. Arguments: the address of core, the key, and after how many events it ends by itself.
 */
import { CoreClient, ProjectionWorker } from '@allsource/client';
import { numbersIn, WORKER } from './worker-state.ts';

const [url = '', apiKey = '', last = ''] = process.argv.slice(2);
const core = new CoreClient({ url, apiKey });
const worker = new ProjectionWorker({
  core,
  name: WORKER,
  eventTypes: ['number.counted'],
  checkpointInterval: 5,
  checkpointIntervalMs: 20,
  initialState: () => ({ numbers: [] as number[] }),
  decode: (saved) => ({ numbers: numbersIn(saved) }),
  reducer: (state, { payload }) => {
    state.numbers.push((payload as { n: number }).n);
    process.stdout.write(`${state.numbers.length}\n`);
  },
});
await worker.start();
process.stdout.write(`began behind ${worker.state().numbers.length}\n`);
while (worker.state().numbers.length < Number(last)) await worker.applied(worker.position + 1);
await worker.stop();
