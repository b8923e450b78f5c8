/**
 * An in-memory stand-in for the runtime of projections, for tests of what lies in front of it: it counts events by entity (or by type), at once and in the caller's
 * thread, out of the frames that the test has. An event whose payload says `"poison": true` cannot be folded; its entity is parked.
 */
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import {
  type Frame,
  type FrameEvent,
  type ProjectionDefinition,
  TypeFilter,
} from '@allsource/shared/protocol';
import type {
  BuildInfo,
  ParkedEntity,
  ProjectionRuntime,
  ProjectionState,
} from '../../src/projections/projection-runtime.ts';

interface Build {
  readonly number: number;
  readonly definition: ProjectionDefinition;
  readonly counts: Map<string, number>;
  readonly parked: Map<string, FrameEvent[]>;
  position: number;
  folded: number;
}

export class InMemoryProjections implements ProjectionRuntime {
  /** Nothing beyond this position is folded. */
  foldLimit = Number.POSITIVE_INFINITY;
  /** While set, poisoned events are folded as if they were good. */
  isMended = false;
  /** Definitions by how often they were handed over. */
  reconciled = 0;
  readonly #frames: () => readonly Frame[];
  readonly #definitions = new Map<string, ProjectionDefinition>();
  readonly #builds = new Map<string, Build[]>();

  constructor(frames: () => readonly Frame[]) {
    this.#frames = frames;
  }

  reconcile(definitions: readonly ProjectionDefinition[]): void {
    this.reconciled += 1;
    this.#definitions.clear();
    for (const definition of definitions) {
      const key = keyOf(definition.tenant, definition.name);
      this.#definitions.set(key, definition);
      const builds = this.#builds.get(key) ?? [];
      if (definition.wanted !== 'created' && builds[0]?.number !== definition.build)
        builds.unshift(emptyBuild(definition));
      this.#builds.set(key, builds);
    }
    for (const key of this.#builds.keys())
      if (!this.#definitions.has(key)) this.#builds.delete(key);
  }

  status(tenant: string, name: string): ProjectionState | null {
    const definition = this.#definitions.get(keyOf(tenant, name));
    if (definition === undefined) return null;
    const builds = this.#folded(tenant, name);
    const live = this.#live(tenant, name);
    const position = live?.position ?? 0;
    const isBehind = position < this.#head;
    const parked = [...(live?.parked.values() ?? [])];
    return {
      status: definition.wanted,
      is_stalled: isBehind && definition.wanted === 'running',
      stalled_reason: isBehind && definition.wanted === 'running' ? 'The test holds it.' : null,
      failure: null,
      live_build: live?.number ?? null,
      position,
      lag_events: this.#head - position,
      lag_seconds: isBehind ? 1 : 0,
      stats: {
        events_processed: live?.folded ?? 0,
        last_event_at: null,
        last_checkpoint_at: null,
        error_count: parked.length,
        skipped_count: 0,
        last_error: null,
        last_error_at: null,
        total_ms: 0,
        avg_us: 0,
      },
      builds: builds.map((build) => infoOf(build, live)),
      parked_entities: parked.length,
      parked_events: parked.flat().length,
      restarts: 0,
    };
  }

  read(tenant: string, name: string, key: string) {
    const live = this.#readable(tenant, name);
    const count = live.counts.get(key);
    return {
      position: live.position,
      state: count === undefined ? null : JSON.stringify({ count }),
    };
  }

  page(tenant: string, name: string, wanted: Parameters<ProjectionRuntime['page']>[2]) {
    const live = this.#readable(tenant, name);
    const { key_prefix = '', after, limit, offset = 0 } = wanted;
    const keys = [...live.counts.keys()].filter((key) => key.startsWith(key_prefix)).sort();
    const states = keys
      .filter((key) => after === undefined || key > after)
      .slice(offset, offset + limit)
      .map((key) => ({ key, state: JSON.stringify({ count: live.counts.get(key) }) }));
    return { position: live.position, build: live.number, states };
  }

  keys(tenant: string, name: string, wanted: Parameters<ProjectionRuntime['page']>[2]) {
    const { position, states } = this.page(tenant, name, wanted);
    return { position, keys: states.map(({ key }) => key) };
  }

  count(tenant: string, name: string): number {
    return this.#readable(tenant, name).counts.size;
  }

  async waitFor(...wait: [string, string, Position, AbortSignal]): Promise<boolean> {
    const [tenant, name, position, signal] = wait;
    while (!signal.aborted) {
      this.#folded(tenant, name);
      const live = this.#live(tenant, name);
      if ((live?.position ?? -1) >= position) return true;
      if (this.#definitions.get(keyOf(tenant, name))?.wanted !== 'running') return false;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return false;
  }

  parked(tenant: string, name: string, { limit, offset }: { limit: number; offset: number }) {
    const parked = [...(this.#live(tenant, name)?.parked.entries() ?? [])].map(parkedEntity);
    return { parked: parked.slice(offset, offset + limit), total: parked.length };
  }

  skipped() {
    return [];
  }

  retryParked(tenant: string, name: string, entity: string | null) {
    const live = this.#readable(tenant, name);
    const tried = [...live.parked].filter(([parked]) => entity === null || parked === entity);
    let eventsFolded = 0;
    for (const [parked, events] of this.isMended ? tried : []) {
      live.parked.delete(parked);
      for (const event of events) fold(live, event);
      eventsFolded += events.length;
    }
    return Promise.resolve({
      entities_freed: this.isMended ? tried.length : 0,
      events_folded: eventsFolded,
      entities_parked: live.parked.size,
    });
  }

  forget(tenant: string, name: string): Promise<void> {
    this.#builds.delete(keyOf(tenant, name));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get #head(): number {
    return this.#frames().at(-1)?.lastPosition ?? 0;
  }

  #live(tenant: string, name: string): Build | null {
    const builds = this.#builds.get(keyOf(tenant, name)) ?? [];
    const pinned = this.#definitions.get(keyOf(tenant, name))?.pinned_build ?? null;
    return builds.find(({ number }) => pinned === null || number === pinned) ?? null;
  }

  #readable(tenant: string, name: string): Build {
    this.#folded(tenant, name);
    const live = this.#live(tenant, name);
    if (live !== null) return live;
    throw problem('read_behind', `The projection '${name}' has no build that can be read.`);
  }

  #folded(tenant: string, name: string): Build[] {
    const builds = this.#builds.get(keyOf(tenant, name)) ?? [];
    const wanted = this.#definitions.get(keyOf(tenant, name))?.wanted;
    if (wanted === 'running') for (const build of builds) this.#catchUp(build);
    return builds;
  }

  #catchUp(build: Build): void {
    const { tenant, event_types } = build.definition;
    const filter = new TypeFilter(event_types);
    for (const frame of this.#frames()) {
      if (frame.lastPosition <= build.position) continue;
      if (frame.lastPosition > this.foldLimit) return;
      build.position = frame.lastPosition;
      if (frame.isSystem || frame.tenant !== tenant) continue;
      for (const event of frame.events())
        if (filter.matches(event.type)) this.#foldOrPark(build, event);
    }
  }

  #foldOrPark(build: Build, event: FrameEvent): void {
    const waiting = build.parked.get(event.entity);
    if (waiting !== undefined) waiting.push(event);
    else if (!this.isMended && event.payload.includes('"poison":true'))
      build.parked.set(event.entity, [event]);
    else fold(build, event);
  }
}

function fold(build: Build, event: FrameEvent): void {
  const key = build.definition.definition['by'] === 'entity' ? event.entity : event.type;
  build.counts.set(key, (build.counts.get(key) ?? 0) + 1);
  build.folded += 1;
}

function emptyBuild(definition: ProjectionDefinition): Build {
  return {
    number: definition.build,
    definition,
    counts: new Map(),
    parked: new Map(),
    position: 0,
    folded: 0,
  };
}

function infoOf(build: Build, live: Build | null): BuildInfo {
  return {
    build: build.number,
    status: build === live ? 'live' : 'previous',
    position: build.position,
    rows: build.counts.size,
    workers: 1,
    compared: null,
    note: null,
  };
}

function parkedEntity([entity_id, events]: [string, FrameEvent[]]): ParkedEntity {
  const [first] = events;
  return {
    entity_id,
    position: first?.position ?? 0,
    event_id: first?.id ?? '',
    event_type: first?.type ?? '',
    reason: 'The event is poisoned.',
    attempts: 6,
    parked_at: '2026-01-01T00:00:00Z',
    events_waiting: events.length,
  };
}

function keyOf(tenant: string, name: string): string {
  return `${tenant}/${name}`;
}
