/** True when a number is a whole multiple of another one, as decimals: 0.0075 is one of 0.0001, whatever binary fractions say. */
export function isMultiple(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  if (!Number.isFinite(value)) return false;
  const a = decimalOf(value);
  const b = decimalOf(divisor);
  const power = Math.min(a.power, b.power);
  return scaled(a, power) % scaled(b, power) === 0n;
}

interface Decimal {
  readonly digits: bigint;
  readonly power: number;
}

// Powers of a double lie between -324 and 308, so the whole numbers stay small.
function scaled({ digits, power }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(power - to);
}

function decimalOf(number: number): Decimal {
  const [mantissa = '0', exponent = '0'] = number.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
}
