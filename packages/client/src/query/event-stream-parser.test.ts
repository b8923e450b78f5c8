import { describe, expect, it } from '@jest/globals';
import { EventStreamParser, type StreamMessage } from './event-stream-parser.ts';

function parse(...pieces: string[]): StreamMessage[] {
  const parser = new EventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

const TEXT =
  ': hello\r\n\r\nid: 1\r\ndata: one\r\ndata:  two\r\n\r\nevent:note\rdata\r\r:beat\n\nid:7\n\nunknown: x\ndata: three\n\ndata: cut off';

describe('an event stream', () => {
  it('is cut into messages as the HTML standard says', () => {
    expect(parse(TEXT)).toEqual([
      { id: '1', event: '', data: 'one\n two' },
      { id: '1', event: 'note', data: '' },
      { id: '7', event: '', data: null },
      { id: '7', event: '', data: 'three' },
    ]);
  });

  it('gives the same messages wherever the network cuts it', () => {
    const whole = parse(TEXT);
    for (let at = 0; at <= TEXT.length; at++)
      expect(parse(TEXT.slice(0, at), TEXT.slice(at))).toEqual(whole);
    expect(parse(...TEXT.split(''))).toEqual(whole);
  });
});
