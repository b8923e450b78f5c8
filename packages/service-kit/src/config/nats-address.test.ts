import { describe, expect, it } from '@jest/globals';
import { natsAddress } from './nats-address.ts';

describe('the address of a NATS server', () => {
  it('is the URL itself when it names no credentials', () => {
    expect(natsAddress('nats://127.0.0.1:4222')).toEqual({ servers: 'nats://127.0.0.1:4222' });
  });

  it('keeps user and password apart from what may be logged, percent-decoded', () => {
    expect(natsAddress('tls://core:p%40ss@nats.example:4443')).toEqual({
      servers: 'tls://nats.example:4443',
      user: 'core',
      pass: 'p@ss',
    });
  });

  it('takes a user without a password for a token', () => {
    expect(natsAddress('nats://s3cret@nats:4222')).toEqual({
      servers: 'nats://nats:4222',
      token: 's3cret',
    });
  });
});
