import type { Pace } from '@allsource/service-kit/turns';

const SORTED_AT_ONCE = 32_768;
const NUMBERS_A_STEP = 131_072;

/** Sorts numbers, of which many may be in order already, in place: a long list in pieces, which are then merged. */
export async function sortNumbers(numbers: Float64Array, pace: Pace): Promise<void> {
  if (isAscending(numbers)) return;
  if (numbers.length <= SORTED_AT_ONCE) {
    numbers.sort();
    return;
  }
  const middle = numbers.length >>> 1;
  await sortNumbers(numbers.subarray(0, middle), pace);
  if (pace.isTurnOver) await pace.nextTurn();
  await sortNumbers(numbers.subarray(middle), pace);
  const left = numbers.slice(0, middle);
  let from = 0;
  let right = middle;
  for (let place = 0; from < left.length; place++) {
    const isLeft = right === numbers.length || (left[from] as number) <= (numbers[right] as number);
    numbers[place] = (isLeft ? left[from++] : numbers[right++]) as number;
    if (place % NUMBERS_A_STEP === 0 && pace.isTurnOver) await pace.nextTurn();
  }
}

function isAscending(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++)
    if ((numbers[i] as number) < (numbers[i - 1] as number)) return false;
  return true;
}
