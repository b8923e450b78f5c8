import { once } from 'node:events';
import { constants } from 'node:os';
import { expect, test } from '@jest/globals';
import { startProgram } from '../../src/processes/start-program.ts';

test('a program gets its arguments and its priority, and nothing of the environment', async () => {
  process.env['SECRET_OF_THE_TEST'] = 'not for programs';
  const program = startProgram({
    starter: import.meta,
    name: 'report',
    args: ['first', 'second'],
    heapMibMax: 64,
    priority: constants.priority.PRIORITY_LOW,
  });
  const [report] = await once(program, 'message');
  delete process.env['SECRET_OF_THE_TEST'];
  expect(report).toEqual({ args: ['first', 'second'], environment: [], priority: 19 });
});
