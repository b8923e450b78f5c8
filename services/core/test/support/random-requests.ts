/**
 * Random bodies of appends, good and bad, for differential tests. Most bodies are good and plain; some use what only the slow path reads; some
 * break a rule; and half are damaged in a few bytes afterwards, mostly by bytes that mean something in JSON.
 */
import { SeededRandom } from '@allsource/testkit';

export type BodyShape = 'single' | 'batch' | 'lines';

export interface RandomBody {
  readonly bytes: Buffer;
  readonly shape: BodyShape;
  /** Good, and nothing in it is unusual: the kernel itself must take it. */
  readonly isPlain: boolean;
}

const TYPES = ['order.placed', 'a', 'a.b_c.d0', 'x'.repeat(128), 'user.signed_up.again'];
const ODD_TYPES = [
  '',
  'A',
  '.a',
  'a.',
  'a..b',
  'a b',
  '_system.x',
  'é',
  'x'.repeat(129),
  '\\u0061',
  '_system',
  '_systemx.a',
  'abcdefghijklmnop.',
  'abcdefghijklmno..b',
];
const ENTITIES = ['order-1', 'e', 'user 7', 'a/b:c?d', "o'neil", 'z'.repeat(128), '{}', '~'];
const ODD_ENTITIES = [
  '',
  ' ',
  ' a',
  'a ',
  'é',
  '日本',
  '\\u00e9',
  '\\n',
  '\\"',
  '\\ud800',
  '\u007f',
  '\u00a0x',
  'z'.repeat(129),
  '\\u0000',
  '\u0085',
];
const PAYLOADS = [
  '{}',
  '[]',
  '1',
  '-0',
  '0.5e-3',
  '1E+9',
  'true',
  'false',
  'null',
  '""',
  '"\\u00e9\\n\\"\\\\\\/"',
  '"日本語 text that is longer than sixteen bytes"',
  '{"a":{"b":[1,2,{"c":null}]}}',
  '[ 1 , 2 ]',
  '{ "k" : "v" }',
  '12345678901234567890',
  '{"event_type":"x","events":[]}',
  '"\u007f"',
  '{"":0}',
];
const BAD_PAYLOADS = [
  '01',
  '1.',
  '.5',
  '+1',
  '-',
  '1e',
  'nul',
  'True',
  "'a'",
  '"\\x"',
  '"\\u12g4"',
  '"\t"',
  '"',
  '{',
  '[1,]',
  '{"a":1,}',
  '{"a"}',
  '{a:1}',
  '[1 2]',
  '[}',
  '{]',
  '',
  'NaN',
  '\u00a01',
  '1\u0000',
];
const TIMES = [
  '"2026-01-31T12:00:00Z"',
  '"1999-12-31T23:59:59.123456Z"',
  '"2024-02-29T00:00:00.1Z"',
  '"1970-01-01T00:00:00.000Z"',
  '"2000-02-29T01:02:03.999999999Z"',
  'null',
];
const ODD_TIMES = [
  '"2026-01-31T12:00:00+02:00"',
  '"2026-01-31 12:00:00Z"',
  '"2025-02-29T00:00:00Z"',
  '"2100-01-01T00:00:00Z"',
  '"2026-13-01T00:00:00Z"',
  '"2026-01-31T24:00:00Z"',
  '"2026-01-31T12:00:60Z"',
  '"2026-01-31T12:00:00.Z"',
  '"2026-01-31T12:00:00.1234567890Z"',
  '"1900-02-29T00:00:00Z"',
  '""',
  '"x"',
  '7',
  '"2026-00-10T00:00:00Z"',
  '"2026-01-00T00:00:00Z"',
  '"2026-01-31t12:00:00z"',
];
const VERSIONS = ['0', '1', '42', '999999999999999', 'null'];
const ODD_VERSIONS = [
  '9007199254740991',
  '9007199254740993',
  '-1',
  '1.0',
  '1e3',
  '00',
  '"1"',
  'true',
  '1234567890123456',
  '{}',
];
const TENANTS = ['"default"', '"t-1_X"', 'null'];
const ODD_TENANTS = [
  '"_system"',
  '"a/b"',
  '""',
  '"é"',
  '7',
  '"\\u0061"',
  `"${'t'.repeat(65)}"`,
  '"_systeM"',
];
const SPACES = ['', '', '', ' ', '\n', '\t\r\n  '];
/** What may stand inside a line. */
const LINE_SPACES = ['', '', '', ' ', '\t', ' \r '];
const LINE_ENDS = ['\n', '\n', '\n', '\r\n', '\n\n', ' \t\n \r\n'];
const DAMAGE = Buffer.from('{}[]",:\\u0123456789eE+-.truefalsn \t\n\u00e9x\u0000');

/** Makes bodies from a seed, without end. */
export class RandomRequests {
  readonly #random: SeededRandom;
  #isPlain = true;
  #spaces = SPACES;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  next(): RandomBody {
    this.#isPlain = true;
    const shape: BodyShape = this.#chance(0.35) ? 'single' : this.#chance(0.5) ? 'batch' : 'lines';
    const bytes = Buffer.from(this.#body(shape));
    return this.#chance(0.5)
      ? { bytes: this.#damaged(bytes), shape, isPlain: false }
      : { bytes, shape, isPlain: this.#isPlain };
  }

  #body(shape: BodyShape): string {
    if (shape === 'lines') return this.#lines();
    return shape === 'single' ? this.#space(this.#event('"t"')) : this.#batch();
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  #pick(list: readonly string[]): string {
    return this.#random.pick(list);
  }

  /** One of the usual texts, or rarely one that only the slow path takes or refuses. */
  #mostly(usual: readonly string[], odd: readonly string[]): string {
    if (this.#chance(0.97)) return this.#pick(usual);
    this.#isPlain = false;
    return this.#pick(odd);
  }

  #space(text: string): string {
    return this.#pick(this.#spaces) + text + this.#pick(this.#spaces);
  }

  /** Lines with an event each; sometimes two share a line or one has several, which is wrong. */
  #lines(): string {
    this.#spaces = this.#chance(0.04) ? SPACES : LINE_SPACES;
    if (this.#spaces === SPACES) this.#isPlain = false;
    const tenant = this.#pick(TENANTS);
    const count = this.#below(6);
    if (count === 0) this.#isPlain = false;
    let text = this.#chance(0.2) ? this.#pick(LINE_ENDS) : '';
    for (let i = 0; i < count; i++) {
      const isOther = this.#chance(0.02);
      text += this.#space(this.#event(isOther ? this.#odd('"other"') : tenant));
      text += this.#chance(0.02) ? this.#odd(' ') : this.#pick(LINE_ENDS);
    }
    this.#spaces = SPACES;
    return this.#chance(0.3) ? text.trimEnd() : text;
  }

  #batch(): string {
    const tenant = this.#pick(TENANTS);
    const events = Array.from({ length: this.#below(6) }, () =>
      this.#space(this.#event(this.#chance(0.02) ? this.#odd('"other"') : tenant)),
    );
    if (events.length === 0) this.#isPlain = false;
    const list = `${this.#space('"events"')}:${this.#space(`[${events.join(',')}]`)}`;
    const extra = this.#chance(0.04) ? this.#odd(',"more":[{}]') : '';
    return this.#space(`{${list}${extra}}`);
  }

  #odd(text: string): string {
    this.#isPlain = false;
    return text;
  }

  #event(tenant: string): string {
    const members = [
      `"event_type":${this.#space(`"${this.#mostly(TYPES, ODD_TYPES)}"`)}`,
      `"entity_id":${this.#space(`"${this.#mostly(ENTITIES, ODD_ENTITIES)}"`)}`,
      `"payload":${this.#space(this.#payload())}`,
    ];
    if (this.#chance(0.5)) members.push(`"metadata":${this.#space(this.#payload())}`);
    if (this.#chance(0.3)) members.push(`"tenant_id":${this.#mostly([tenant], ODD_TENANTS)}`);
    else if (tenant !== 'null') this.#isPlain = false;
    if (this.#chance(0.2)) members.push(`"timestamp":${this.#mostly(TIMES, ODD_TIMES)}`);
    if (this.#chance(0.2))
      members.push(`"expected_version":${this.#mostly(VERSIONS, ODD_VERSIONS)}`);
    if (this.#chance(0.1)) members.push(`"unknown" : ${this.#payload()}`);
    if (this.#chance(0.02))
      members.push(
        this.#odd(this.#pick(['"payload":2', '"\\u0065ntity_id":"x"', '"metadata":null'])),
      );
    if (this.#chance(0.02)) members.splice(this.#below(3), 1, this.#odd('"x":1'));
    if (this.#chance(0.3)) members.reverse();
    return `{${members.map((member) => this.#space(member)).join(',')}}`;
  }

  #payload(): string {
    if (this.#chance(0.03)) return this.#odd(this.#pick(BAD_PAYLOADS));
    if (this.#chance(0.02)) return this.#nested();
    const value = this.#pick(PAYLOADS);
    if (this.#chance(0.3)) return `{"a":${value},"list":[${value}, ${this.#pick(PAYLOADS)}]}`;
    return value;
  }

  #nested(): string {
    const levels = 60 + this.#below(8);
    if (levels > 64) this.#isPlain = false;
    let text = this.#chance(0.5) ? '1' : '';
    for (let i = 0; i < levels; i++)
      text = this.#chance(0.5) && text !== '' ? `{"k":${text}}` : `[${text}]`;
    return text;
  }

  #damaged(bytes: Buffer): Buffer {
    let damaged: Buffer = Buffer.from(bytes);
    for (let edits = 1 + this.#below(3); edits > 0; edits--) {
      const at = this.#below(damaged.length);
      const byte = this.#chance(0.9) ? DAMAGE[this.#below(DAMAGE.length)] : this.#below(256);
      const kind = this.#below(4);
      if (kind === 0) damaged[at] = byte ?? 0;
      else if (kind === 1)
        damaged = Buffer.concat([
          damaged.subarray(0, at),
          Buffer.from([byte ?? 0]),
          damaged.subarray(at),
        ]);
      else if (kind === 2)
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + 1)]);
      else damaged = this.#spliced(damaged, at);
    }
    return damaged;
  }

  /** Repeats, drops or cuts off a piece. */
  #spliced(bytes: Buffer, at: number): Buffer {
    const end = Math.min(bytes.length, at + this.#below(30));
    const kind = this.#below(3);
    if (kind === 0) return bytes.subarray(0, at);
    if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
  }
}
