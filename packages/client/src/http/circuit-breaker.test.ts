import { describe, expect, it } from '@jest/globals';
import {
  AllSourceError,
  CircuitOpenError,
  ConnectionError,
  InvalidRequestError,
  RateLimitedError,
} from './allsource-error.ts';
import { CircuitBreaker } from './circuit-breaker.ts';

const AWAY = new ConnectionError('away', { code: 'unreachable', status: null, retryable: true });
const UNWELL = new AllSourceError('unwell', { code: 'starting', status: 503, retryable: true });
const REFUSED = new InvalidRequestError('no', {
  code: 'invalid_body',
  status: 422,
  retryable: false,
});
const TOO_MANY = new RateLimitedError('slow', { code: 'rate', status: 429, retryable: true });

class World {
  nowMs = 1_000;
  calls = 0;
  readonly breaker = new CircuitBreaker({ failuresMax: 3, openMs: 100 }, () => this.nowMs);

  async fail(error: unknown): Promise<unknown> {
    return await this.#outcome(async () => {
      throw error;
    });
  }

  async succeed(): Promise<unknown> {
    return await this.#outcome(async () => 'answer');
  }

  async #outcome(call: () => Promise<string>): Promise<unknown> {
    try {
      return await this.breaker.run(() => {
        this.calls += 1;
        return call();
      });
    } catch (error) {
      return error;
    }
  }
}

async function opened(): Promise<World> {
  const world = new World();
  for (const error of [AWAY, UNWELL, AWAY]) await world.fail(error);
  return world;
}

describe('a circuit', () => {
  it('opens after so many failures in a row, and then calls nothing and says for how long', async () => {
    const world = await opened();
    expect(world.breaker.state).toBe('open');
    world.nowMs += 40;
    const refusal = await world.succeed();
    expect(refusal).toBeInstanceOf(CircuitOpenError);
    expect(refusal).toMatchObject({ code: 'circuit_open', retryAfterMs: 60, cause: AWAY });
    expect(world.calls).toBe(3);
  });

  it('is not opened by refusals, by rate limits or by callers that give up, and a success begins the count anew', async () => {
    const world = new World();
    for (let i = 0; i < 10; i += 1) {
      for (const error of [REFUSED, TOO_MANY, new Error('given up')]) await world.fail(error);
    }
    await world.fail(AWAY);
    await world.fail(AWAY);
    expect(await world.succeed()).toBe('answer');
    await world.fail(AWAY);
    await world.fail(AWAY);
    expect(world.breaker.state).toBe('closed');
  });

  it('lets one call probe when its time is up: a success closes it, a failure opens it for as long again', async () => {
    const world = await opened();
    world.nowMs += 100;
    const probe = Promise.withResolvers<string>();
    const probing = world.breaker.run(() => probe.promise);
    expect(world.breaker.state).toBe('half-open');
    expect(await world.succeed()).toBeInstanceOf(CircuitOpenError);
    probe.reject(UNWELL);
    await expect(probing).rejects.toBe(UNWELL);
    expect(world.breaker.state).toBe('open');
    world.nowMs += 100;
    expect(await world.succeed()).toBe('answer');
    expect(world.breaker.state).toBe('closed');
  });

  it('makes room for another probe when the caller of the first gives up', async () => {
    const world = await opened();
    world.nowMs += 100;
    await world.fail(new Error('given up'));
    expect(world.breaker.state).toBe('half-open');
    expect(await world.succeed()).toBe('answer');
  });
});
