import { describe, expect, it } from '@jest/globals';
import { parseUrlQuery, queryOfUrl } from './url-query.ts';

const refused = (parameter: string) =>
  expect.objectContaining({
    code: 'invalid_parameter',
    message: expect.stringContaining('The query string is not validly percent-encoded'),
    members: { parameter },
  });

describe('the query of a URL', () => {
  it('is read as forms are: + is a space, names and values are unescaped, and it may be absent', () => {
    expect([...queryOfUrl('/a?b=1+2&%63=%C3%A4&d&e=%2B&=x')]).toEqual([
      ['b', '1 2'],
      ['c', 'ä'],
      ['d', ''],
      ['e', '+'],
      ['', 'x'],
    ]);
    expect([...queryOfUrl('/a')]).toEqual([]);
    expect([...queryOfUrl('/a?')]).toEqual([]);
  });

  it.each([
    ['%'],
    ['%zz'],
    ['%f'],
    ['%2'],
    ['%ff'],
    ['%C3'],
    ['%C3%28'],
    ['%C0%80'],
    ['%ED%A0%80'],
    ['%F4%90%80%80'],
  ])('is refused with %s in a value or a name', (bad) => {
    expect(() => parseUrlQuery(`a=1&b=${bad}&c=%41`)).toThrow(refused('b'));
    expect(() => parseUrlQuery(`a=1&${bad}=2`)).toThrow(refused(bad));
  });
});
