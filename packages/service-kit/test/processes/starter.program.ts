/** A program for tests: starts the program `report` with a higher priority than its own, and passes its report on. */
import { constants } from 'node:os';
import { startProgram } from '../../src/processes/start-program.ts';

const program = startProgram({
  starter: import.meta,
  name: 'report',
  heapMibMax: 64,
  priority: constants.priority.PRIORITY_BELOW_NORMAL,
});
program.once('message', (report) => {
  process.send?.(report, () => process.disconnect());
});
