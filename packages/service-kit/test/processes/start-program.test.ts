import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { platform } from 'node:process';
import { expect, test } from '@jest/globals';
import { startProgram } from '../../src/processes/start-program.ts';

test('a program gets its arguments and its priority, the lowest in leftover time, and nothing of the environment', async () => {
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
  const scheduling = platform !== 'linux' ? null : existsSync('/usr/bin/chrt') ? 5 : 0;
  expect(report).toEqual({
    args: ['first', 'second'],
    environment: [],
    priority: 19,
    hasOneThread: true,
    scheduling,
  });
});

test('a program of a service of low priority gets no higher one, which only root could give', async () => {
  const service = startProgram({
    starter: import.meta,
    name: 'starter',
    heapMibMax: 64,
    priority: 15,
  });
  const [report] = await once(service, 'message');
  expect(report).toMatchObject({ priority: 15, hasOneThread: false });
});
