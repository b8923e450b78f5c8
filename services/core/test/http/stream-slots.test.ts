import { expect, it } from '@jest/globals';
import { StreamSlots } from '../../src/http/stream-slots.ts';

it('as many streams run as there may be, and one more when one has ended, in whatever way', async () => {
  const slots = new StreamSlots(2);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const running = [slots.run(() => first.promise), slots.run(() => second.promise)];
  let begun = 0;
  const third = async () => void (begun += 1);
  await expect(slots.run(third)).rejects.toMatchObject({ code: 'overloaded', retryable: true });
  expect(begun).toBe(0);
  first.reject(new TypeError('broken'));
  await expect(running[0]).rejects.toThrow('broken');
  await slots.run(third);
  expect(begun).toBe(1);
  second.resolve();
  await running[1];
});
