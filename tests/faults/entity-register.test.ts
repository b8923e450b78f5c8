/** The checker that the race of conditional appends relies on accepts a history that has an order, and finds each kind of planted fault. */
import { describe, expect, it } from '@jest/globals';
import {
  type RegisterOperation,
  type RegisterWrite,
  registerFaults,
} from '../support/entity-register.ts';

function operation(
  key: string,
  {
    expected,
    at,
    outcome,
  }: Omit<RegisterOperation, 'key' | 'count' | 'calledAt' | 'answeredAt'> & {
    readonly at: readonly [number, number];
  },
): RegisterOperation {
  return { key, expected, count: 1, calledAt: at[0], answeredAt: at[1], outcome };
}

const acknowledged = (version: number) => ({ kind: 'acknowledged', versions: [version] }) as const;
const conflict = (current: number) => ({ kind: 'conflict', current }) as const;

describe('the checker of a register', () => {
  const history = [
    operation('a', { expected: 0, at: [1, 5], outcome: acknowledged(1) }),
    operation('b', { expected: 0, at: [2, 6], outcome: conflict(1) }),
    operation('c', { expected: 1, at: [4, 9], outcome: acknowledged(2) }),
    operation('d', { expected: 1, at: [7, 8], outcome: conflict(2) }),
    operation('e', {
      expected: 2,
      at: [10, Number.POSITIVE_INFINITY],
      outcome: { kind: 'unknown' },
    }),
  ];
  const log = ['a', 'c', 'e'].map((key, index) => ({ key, versions: [index + 1] }));
  const withOperation = (changed: RegisterOperation) =>
    history.map((known) => (known.key === changed.key ? changed : known));

  it('accepts a history that has an order, with the unknown append stored or not', () => {
    expect(registerFaults(history, log)).toEqual([]);
    expect(registerFaults(history, log.slice(0, 2))).toEqual([]);
  });

  it.each([
    [
      'a lost acknowledgement',
      history,
      log.slice(0, 1),
      /c was acknowledged and is not in the log/,
    ],
    [
      'two winners of one version',
      withOperation(operation('b', { expected: 0, at: [2, 6], outcome: acknowledged(1) })),
      log,
      /b was acknowledged and is not in the log/,
    ],
    [
      'a stored conflict',
      history,
      [...log, { key: 'd', versions: [4] }],
      /d is in the log and was answered/,
    ],
    ['a gap', history, [log[0], { key: 'c', versions: [3] }], /c has versions 3 behind version 1/],
    ['a stranger', history, [...log, { key: 'x', versions: [4] }], /nobody sent it/],
    ['a key stored twice', history, [...log, { key: 'e', versions: [4] }], /more than once/],
    [
      'a condition that did not hold',
      withOperation(operation('c', { expected: 0, at: [4, 9], outcome: acknowledged(2) })),
      log,
      /c expects version 0 and stands behind 1/,
    ],
    [
      'a read of a version before it was written',
      withOperation(operation('d', { expected: 1, at: [2, 3], outcome: conflict(2) })),
      log,
      /d read version 2 too late/,
    ],
    [
      'a read of a version that was over',
      withOperation(operation('d', { expected: 5, at: [12, 13], outcome: conflict(0) })),
      log,
      /stands behind what began after its answer/,
    ],
    [
      'a read of a version that a crash took back',
      withOperation(operation('d', { expected: 1, at: [7, 8], outcome: conflict(4) })),
      log,
      /d read version 4, which never was/,
    ],
    [
      'writes against the order of time',
      withOperation(operation('c', { expected: 1, at: [-2, -1], outcome: acknowledged(2) })),
      log,
      /c stands behind what began after its answer/,
    ],
    [
      'half an append',
      withOperation({
        ...operation('c', { expected: 1, at: [4, 9], outcome: acknowledged(2) }),
        count: 2,
      }),
      log,
      /c has 2 events and 1 are in the log/,
    ],
  ] as [string, RegisterOperation[], RegisterWrite[], RegExp][])(
    'finds %s',
    (...[, operations, stored, fault]) => {
      expect(registerFaults(operations, stored)).toContainEqual(expect.stringMatching(fault));
    },
  );
});
