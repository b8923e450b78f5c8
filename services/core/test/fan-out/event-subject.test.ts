import { describe, expect, it } from '@jest/globals';
import { eventSubject, subjectToken } from '../../src/fan-out/event-subject.ts';

describe('the NATS subject of an event', () => {
  it('names tenant, partition and type, the type with its own dots', () => {
    const subject = eventSubject({
      tenant: 'acme-1',
      partition: 17,
      type: 'order.line_item.added',
    });
    expect(subject).toBe('allsource.events.acme-1.17.order.line_item.added');
  });

  it.each(['*', '>', 'a.b', 'a b', 'x\r\nPUB y 0', '', '%', 'ü', '\u0000', '𝄞'])(
    'keeps a tenant %j inside of its own token',
    (tenant) => {
      const parts = eventSubject({ tenant, partition: 0, type: 'a.b' }).split('.');
      expect(parts).toHaveLength(6);
      expect(parts[2]).toMatch(/^[A-Za-z0-9_%-]+$/);
    },
  );

  it('gives different texts different tokens, of which the text can be told', () => {
    const alphabet = Array.from('aZ09_-.*> %\r\nü€𝄞\u0000');
    for (let i = 0; i < 20_000; i++) {
      let text = '';
      for (let rest = i; rest > 0; rest = Math.floor(rest / alphabet.length))
        text += alphabet[rest % alphabet.length];
      const token = subjectToken(text);
      expect(token === '%' ? '' : decodeURIComponent(token)).toBe(text);
    }
  });
});
