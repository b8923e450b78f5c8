import { describe, expect, it } from '@jest/globals';
import { BodyRoom } from '../../src/http/body-room.ts';

const overloaded = expect.objectContaining({ code: 'overloaded', status: 503, retryable: true });

describe('the room for bodies', () => {
  it('refuses what does not fit, and has the room again that was released, once', () => {
    const room = new BodyRoom({ bytesMax: 100, freeBytes: 0 });
    const large = room.holdOf(90);
    expect(() => room.holdOf(11)).toThrow(overloaded);
    const small = room.holdOf(10);
    large.release();
    large.release();
    expect(room.bytes).toBe(10);
    expect(room.holdOf(90).release()).toBeUndefined();
    small.release();
    expect(room.bytes).toBe(0);
  });

  it('counts a body as it comes, and what was counted before it was refused until it is released', () => {
    const room = new BodyRoom({ bytesMax: 100, freeBytes: 0 });
    const hold = room.hold();
    for (let i = 0; i < 4; i++) hold.grow(25);
    expect(() => hold.grow(1)).toThrow(overloaded);
    expect(room.bytes).toBe(100);
    hold.release();
    expect(room.bytes).toBe(0);
  });

  it('lets the first bytes of each body in when it is full', () => {
    const room = new BodyRoom({ bytesMax: 100, freeBytes: 50 });
    room.holdOf(150);
    expect(room.bytes).toBe(100);
    room.holdOf(50);
    const hold = room.hold();
    hold.grow(30);
    hold.grow(20);
    expect(() => hold.grow(1)).toThrow(overloaded);
  });
});
