import { added, merged, NO_AGGREGATE } from './aggregate.ts';
import type { Carried } from './carried.ts';
import type { Surroundings } from './operator.ts';
import { requireRoom } from './reduce.ts';
import type { OpenWindow, WindowOutput } from './window-output.ts';
import type { WindowTimes } from './window-times.ts';
import type { Addition, WindowKind, WindowParts } from './windows.ts';

/**
 * Session windows: events of a group that follow each other at less than the timeout, by the time at which they happened. An event may make one session out of
 * several; the outputs of those that are gone are then taken back. A session is closed when the watermark has passed its last event by the timeout and the
 * allowed lateness. An event whose session would be closed already comes too late.
 */
export class SessionWindows implements WindowKind {
  readonly #number: number;
  readonly #times: WindowTimes;
  readonly #output: WindowOutput;

  constructor({ number, times, output }: WindowParts) {
    this.#number = number;
    this.#times = times;
    this.#output = output;
  }

  add(
    { group, number, watermark }: Addition,
    value: Carried,
    { states, noteLate }: Surroundings,
  ): Carried[] {
    const { timestamp } = value.origin;
    const open = (states.get(this.#number, group) ?? []) as readonly OpenWindow[];
    const touched = open.filter((session) => this.#meets(session, timestamp));
    if (touched.length === 0 && this.#closesAt(timestamp) <= watermark) {
      noteLate();
      return [];
    }
    if (open.length === 0) requireRoom(states.count(this.#number), 'groups with sessions');
    if (touched.length === 0) requireRoom(open.length, 'sessions of one group');
    const session = joined(touched, { value, number });
    const rest = open.filter((one) => !touched.includes(one));
    this.#keep(group, [...rest, session].sort(byStart), states);
    const gone = touched.filter(({ start }) => start !== session.start);
    return [
      ...gone.map((one) => this.#output.of({ window: one, group, isRetracted: true }, value)),
      this.#output.of({ window: session, group }, value),
    ];
  }

  #meets({ start, end }: OpenWindow, instant: number): boolean {
    const { timeout } = this.#times;
    return instant > start - timeout && instant < end + timeout;
  }

  #closesAt(end: number): number {
    return end + this.#times.timeout + this.#times.lateness;
  }

  #keep(group: string, sessions: readonly OpenWindow[], states: Surroundings['states']): void {
    if (sessions.length === 0) return states.delete(this.#number, group);
    const due = Math.min(...sessions.map(({ end }) => this.#closesAt(end)));
    states.set(this.#number, { key: group, value: sessions, due });
  }

  close(watermark: number, cause: Carried, { states }: Surroundings): Carried[] {
    const passed = states.due(this.#number, watermark).flatMap(({ key: group, value }) => {
      const sessions = value as readonly OpenWindow[];
      const isOpen = ({ end }: OpenWindow) => this.#closesAt(end) > watermark;
      this.#keep(group, sessions.filter(isOpen), states);
      return sessions.filter((one) => !isOpen(one)).map((session) => ({ group, session }));
    });
    return passed
      .sort((a, b) => a.session.end - b.session.end || (a.group < b.group ? -1 : 1))
      .map(({ group, session }) => this.#output.of({ window: session, group }, cause));
  }
}

function joined(
  touched: readonly OpenWindow[],
  { value, number }: { readonly value: Carried; readonly number: number | null },
): OpenWindow {
  const { timestamp } = value.origin;
  const before = touched.map(({ aggregate }) => aggregate).reduce(merged, NO_AGGREGATE);
  return {
    start: Math.min(timestamp, ...touched.map(({ start }) => start)),
    end: Math.max(timestamp, ...touched.map(({ end }) => end)),
    aggregate: added(before, number),
    entity: value.entity,
  };
}

function byStart(a: OpenWindow, b: OpenWindow): number {
  return a.start - b.start;
}
