/**
 * Fills the projections from the log. Frames are taken in portions of some thousand events: each is folded in memory, key by key, and
 * committed with its position in one transaction; the event loop turns between two portions, so a long catch-up does not hold up requests. When a portion
 * cannot be committed, those before it stand and the store names their position; the follower brings the rest again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { KeyFold, Projection } from './projection.ts';
import type { ProjectionStore, StoredState, TenantTotals } from './projection-store.ts';

const PORTION_EVENTS = 4_096;

export interface ProjectionSinkOptions {
  readonly store: ProjectionStore;
  readonly projections: readonly Projection[];
  /** Told of each portion that was committed. */
  readonly onCommitted: (portion: {
    readonly frames: readonly Frame[];
    readonly eventCount: number;
    readonly durationMs: number;
  }) => void;
}

export class ProjectionSink implements FrameSink {
  readonly #options: ProjectionSinkOptions;

  constructor(options: ProjectionSinkOptions) {
    this.#options = options;
  }

  get appliedPosition(): Position {
    return this.#options.store.position;
  }

  get logId(): string | null {
    return this.#options.store.logId;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    this.#requireNext(frames);
    let isFirst = true;
    for (const portion of portionsOf(frames)) {
      if (!isFirst) await nextTurn();
      isFirst = false;
      this.#commit(portion, logId);
    }
  }

  advance(position: Position, logId: string): void {
    this.#options.store.commit({ position, logId, states: [], totals: new Map() });
  }

  reset(): void {
    this.#options.store.reset();
  }

  // A read can find the file damaged and replace it by an empty one; frames that were on their way then must not be taken.
  #requireNext([first]: readonly Frame[]): void {
    const { appliedPosition } = this;
    if (first === undefined || first.position === appliedPosition + 1) return;
    throw problem(
      'read_behind',
      `The projections stand at position ${appliedPosition}, and the next frame begins at ${first.position}.`,
    );
  }

  #commit(frames: readonly Frame[], logId: string): void {
    const { store, projections, onCommitted } = this.#options;
    const last = frames.at(-1);
    if (last === undefined) return;
    const startedAt = performance.now();
    const portion = new Portion(store, projections);
    for (const frame of frames) if (!frame.isSystem) portion.add(frame);
    const { totals, eventCount } = portion;
    store.commit({ position: last.lastPosition, logId, states: portion.states(), totals });
    onCommitted({ frames, eventCount, durationMs: performance.now() - startedAt });
  }
}

function* portionsOf(frames: readonly Frame[]): Generator<readonly Frame[]> {
  let portion: Frame[] = [];
  let events = 0;
  for (const frame of frames) {
    portion.push(frame);
    events += frame.eventCount;
    if (events < PORTION_EVENTS) continue;
    yield portion;
    portion = [];
    events = 0;
  }
  if (portion.length > 0) yield portion;
}

interface FoldsOfTenant {
  readonly tenant: string;
  readonly projection: Projection;
  readonly byKey: Map<string, KeyFold>;
}

/** The changes of one portion while they grow. */
class Portion {
  readonly totals = new Map<string, TenantTotals>();
  eventCount = 0;
  readonly #store: ProjectionStore;
  readonly #projections: readonly Projection[];
  readonly #folds = new Map<string, FoldsOfTenant[]>();

  constructor(store: ProjectionStore, projections: readonly Projection[]) {
    this.#store = store;
    this.#projections = projections;
  }

  add(frame: Frame): void {
    const { tenant } = frame;
    const folds = this.#foldsOf(tenant);
    let { events, entities, textBytes } = this.totals.get(tenant) ?? {
      events: 0,
      entities: 0,
      textBytes: 0,
    };
    for (const event of frame.events()) {
      for (const fold of folds) this.#keyFold(fold, event).add(event);
      events += 1;
      // Versions have no gaps, so the first event of an entity is the one with version 1.
      if (event.version === 1) entities += 1;
      textBytes += textBytesOf(event);
    }
    this.eventCount += frame.eventCount;
    this.totals.set(tenant, { events, entities, textBytes });
  }

  *states(): Generator<StoredState & { readonly tenant: string; readonly projection: Projection }> {
    for (const folds of this.#folds.values()) {
      for (const { tenant, projection, byKey } of folds) {
        for (const [key, fold] of byKey) yield { tenant, projection, key, state: fold.print() };
      }
    }
  }

  #foldsOf(tenant: string): FoldsOfTenant[] {
    const known = this.#folds.get(tenant);
    if (known !== undefined) return known;
    const folds = this.#projections.map((projection) => ({
      tenant,
      projection,
      byKey: new Map<string, KeyFold>(),
    }));
    this.#folds.set(tenant, folds);
    return folds;
  }

  #keyFold({ tenant, projection, byKey }: FoldsOfTenant, event: FrameEvent): KeyFold {
    const key = projection.keyOf(event);
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const fold = projection.open(this.#store.state(projection, tenant, key));
    byKey.set(key, fold);
    return fold;
  }
}

function textBytesOf(event: FrameEvent): number {
  const { typeBytes, entityBytes, payload, metadata } = event;
  return typeBytes.length + entityBytes.length + payload.length + (metadata?.length ?? 0);
}
