import { describe, expect, it } from '@jest/globals';
import { AnswerCache } from './answer-cache.ts';

const answer = (bytes: number, entityVersion = 1) => ({
  asked: null,
  entityVersion,
  body: Buffer.alloc(bytes),
});

describe('the cache of answers', () => {
  it('keeps to its bytes and lets go of what was not used for longest', () => {
    const cache = new AnswerCache<null>(40_000);
    for (let i = 0; i < 9; i++) {
      cache.keep(`key-${i}`, answer(4_000), cache.generation);
      cache.find('key-0');
    }
    expect(cache.bytes).toBeLessThanOrEqual(40_000);
    expect(cache.find('key-0')).toBeDefined();
    expect(cache.find('key-1')).toBeUndefined();
    expect(cache.find('key-8')).toBeDefined();
  });

  it('puts a newer answer in place of an older one and counts its bytes once', () => {
    const cache = new AnswerCache<null>(40_000);
    cache.keep('key', answer(1_000), cache.generation);
    const { bytes } = cache;
    cache.keep('key', answer(1_000, 2), cache.generation);
    expect(cache.bytes).toBe(bytes);
    expect(cache.find('key')?.entityVersion).toBe(2);
  });

  it('takes in nothing that would push out most of the rest, and nothing at all without room', () => {
    const cache = new AnswerCache<null>(8_000);
    cache.keep('large', answer(2_000), cache.generation);
    expect(cache.find('large')).toBeUndefined();
    const none = new AnswerCache<null>(0);
    none.keep('key', answer(1), none.generation);
    expect(none.bytes).toBe(0);
  });

  it('wants an answer when it is asked for again, and those that it has', () => {
    const cache = new AnswerCache<null>(40_000);
    expect([cache.wants('key'), cache.wants('other'), cache.wants('key')]).toEqual([
      false,
      false,
      true,
    ]);
    cache.keep('kept', answer(10), cache.generation);
    expect(cache.wants('kept')).toBe(true);
    const none = new AnswerCache<null>(0);
    expect([none.wants('key'), none.wants('key')]).toEqual([false, false]);
  });

  it('forgets who asked once when very many others have asked since', () => {
    const cache = new AnswerCache<null>(40_000);
    cache.wants('first');
    for (let i = 0; i < 200_000; i++) cache.wants(`one of many ${i}`);
    expect(cache.wants('first')).toBe(false);
  });

  it('is empty when the history is, and refuses answers that were begun before', () => {
    const cache = new AnswerCache<null>(40_000);
    const before = cache.generation;
    cache.keep('key', answer(10), before);
    cache.emptied();
    expect([cache.find('key'), cache.bytes]).toEqual([undefined, 0]);
    cache.keep('key', answer(10), before);
    expect(cache.find('key')).toBeUndefined();
  });
});
