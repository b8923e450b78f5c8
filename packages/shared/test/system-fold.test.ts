import { describe, expect, it } from '@jest/globals';
import { micros, position, version } from '../src/model/index.ts';
import {
  encodeFrame,
  type Frame,
  type LoggedSystemEvent,
  SystemFold,
} from '../src/protocol/index.ts';

function systemFrame(
  first: number,
  events: readonly (readonly [type: string, payload: string])[],
): Frame {
  return encodeFrame({
    logId: Buffer.alloc(8, 1),
    position: position(first),
    recordedAt: micros(1_790_000_000_000_000),
    durablePosition: position(first - 1),
    previousChecksum: 0,
    tenant: Buffer.from('_system'),
    isSystem: true,
    idempotency: null,
    events: events.map(([type, payload], i) => ({
      id: Buffer.alloc(16, i + 1),
      timestamp: micros(1_790_000_000_000_000),
      version: version(1),
      previousPosition: position(0),
      partition: 0,
      type: Buffer.from(type),
      entity: Buffer.from(`entity-${i}`),
      payload: Buffer.from(payload),
      metadata: null,
    })),
  });
}

/** Keeps which keys were revoked. */
class RevokedKeys extends SystemFold {
  readonly ids: string[] = [];

  protected override fold({ parsed }: LoggedSystemEvent): void {
    if (parsed.type === '_system.api_key.revoked') this.ids.push(parsed.payload.id);
  }
}

const REVOKED = ['_system.api_key.revoked', '{"id":"one"}'] as const;

describe('a fold of system events', () => {
  it('reads nothing of an event that it passes over', () => {
    const fold = new RevokedKeys();
    // Whoever parsed the state, of which there may be megabytes, would throw.
    fold.apply(systemFrame(1, [['_system.projection_state.saved', 'no JSON'], REVOKED]));
    expect(fold.ids).toEqual(['one']);
  });

  it('tells of a payload of its own that is no JSON', () => {
    const frame = systemFrame(1, [['_system.api_key.revoked', 'no JSON']]);
    expect(() => new RevokedKeys().apply(frame)).toThrow(SyntaxError);
  });

  it('takes each frame once, and passes over types that it does not know', () => {
    const fold = new RevokedKeys();
    const frame = systemFrame(1, [['_system.of_tomorrow', '{}'], REVOKED]);
    fold.apply(frame);
    fold.apply(frame);
    expect(fold.ids).toEqual(['one']);
    expect(fold.appliedPosition).toBe(2);
  });
});
