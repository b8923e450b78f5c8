/**
 * The commit builder on the ingest kernel. Requests that the kernel takes go from body to frame and answer without passing through JavaScript event
 * by event; all others, and the store's own events, are loaded into its tables and take the same way from there.
 *
 * The kernel's entity table holds the state as placed, ahead of durability. The unsettled frames, of which there are few, are kept here: they are the
 * undo log. `rollBack` undoes them newest first, and a question about an entity at the watermark walks back along them, for each of
 * their events says where its entity's event before it lies. Invariants: those of sequencer.ts (I-2, I-3, I-5).
 */
import {
  type Clock,
  type Micros,
  micros,
  POSITION_ZERO,
  type Position,
  position,
  positionAfter,
  type Version,
  version,
} from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { assert, must } from '@allsource/shared/lang';
import type { Frame } from '@allsource/shared/protocol';
import type { EntityHead } from '../append/append-port.ts';
import type {
  CommitBuilder,
  EntityState,
  LineGroup,
  Placement,
  PlacementOutcome,
  RequestShape,
  ScannedRequest,
} from '../append/commit-builder.ts';
import type { EventColumns } from '../append/event-columns.ts';
import type { EventTexts } from '../append/event-texts.ts';
import type { IngestContext } from '../append/ingest-request.ts';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import type { LogHead } from '../storage/log-store.ts';
import type { FrameSummary, IngestKernel } from './ingest-kernel.ts';
import { TenantCounts } from './tenant-counts.ts';

interface Unsettled {
  readonly frame: Frame;
  readonly summary: FrameSummary;
}

/** Where the log ends: as placed, or durable. */
interface End {
  readonly position: Position;
  readonly checksum: number;
}

export interface KernelBuilderOptions {
  readonly kernel: IngestKernel;
  readonly clock: Clock;
}

export class KernelBuilder implements CommitBuilder {
  readonly #kernel: IngestKernel;
  readonly #clock: Clock;
  readonly #counts = new TenantCounts();
  #unsettled: Unsettled[] = [];
  #log: LogHead | null = null;
  #placed: End = { position: POSITION_ZERO, checksum: 0 };
  #durable: End = this.#placed;
  #recordedAt: Micros = micros(0);

  constructor({ kernel, clock }: KernelBuilderOptions) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  readonly entities: EntityState = this.#entities();

  get sections(): readonly CheckpointSection[] {
    return [this.#kernel.entityTable, this.#counts];
  }

  replay(frame: Frame): void {
    this.#counts.add(frame, this.#kernel.fold(frame));
    this.#durable = endOf(frame);
  }

  begin(head: LogHead, recordedAt: Micros): void {
    this.#log = head;
    this.#durable = head;
    this.#placed = head;
    this.#recordedAt = recordedAt;
  }

  scan(
    body: readonly Buffer[],
    shape: RequestShape,
    { limits, now }: IngestContext,
  ): ScannedRequest | null {
    const rules = { ...limits, now };
    return shape === 'single'
      ? this.#kernel.scanSingle(body, rules)
      : this.#kernel.scanBatch(body, rules);
  }

  scanLines(group: LineGroup, { limits, now }: IngestContext): ScannedRequest | null {
    return this.#kernel.scanLines(group, { ...limits, now });
  }

  scanColumns(columns: EventColumns, { limits, now }: IngestContext): ScannedRequest | null {
    return this.#kernel.scanColumns(columns, { ...limits, now });
  }

  textsOf(request: ScannedRequest): EventTexts {
    return this.#kernel.textsOf(request);
  }

  place(placement: Placement): PlacementOutcome {
    const { space, tenant, events, idempotency } = placement;
    const { logId, partitionCount } = must(this.#log, 'the builder has begun');
    const shape = 'generation' in events ? events.shape : null;
    const request = 'generation' in events ? events : this.#kernel.load(events);
    const recordedAt = this.#nextRecordedAt();
    const commit = this.#kernel.commit(request, {
      tenant,
      isSystem: space === 'system',
      logId,
      position: positionAfter(this.#placed.position, 1),
      recordedAt,
      durablePosition: this.#durable.position,
      previousChecksum: this.#placed.checksum,
      partitionCount,
      idempotency,
    });
    if (commit.kind === 'table_full') throw tableFull(this.#kernel.entityCount);
    if (commit.kind === 'conflict')
      return { ...commit, expected: this.#expected(request, commit.index) };
    const { frame } = commit;
    const summary = this.#kernel.summary(frame);
    const answer = shape === null ? null : this.#kernel.answer(shape);
    this.#unsettled.push({ frame, summary });
    this.#placed = endOf(frame);
    this.#recordedAt = recordedAt;
    return { kind: 'placed', frame, notes: { answer, types: summary.types } };
  }

  #expected(request: ScannedRequest, index: number): Version {
    const { expectedVersion } = this.#kernel.spansOf(request, index);
    return must(expectedVersion, 'a conflict has an expected version');
  }

  // A wall clock that is set back must not make recorded_at decrease.
  #nextRecordedAt(): Micros {
    const now = this.#clock.nowMicros();
    return now > this.#recordedAt ? now : this.#recordedAt;
  }

  settle(frame: Frame): void {
    const oldest = this.#unsettled.shift();
    assert(oldest?.frame === frame, 'frames are settled in the order they were placed in');
    this.#durable = endOf(frame);
    this.#counts.add(frame, oldest.summary);
  }

  rollBack(): void {
    for (const { frame } of this.#unsettled.toReversed()) this.#kernel.undo(frame);
    this.#unsettled = [];
    this.#placed = this.#durable;
  }

  #entities(): EntityState {
    const counts = this.#counts;
    return {
      entityHead: (tenant, entity) => this.#durableHead(tenant, entity),
      version: (tenant, entity) => version(this.#durableHead(tenant, entity)?.version ?? 0),
      entityCount: (tenant) => counts.of(tenant).entities,
      eventCount: (tenant) => counts.of(tenant).events,
      eventTypeCount: (tenant) => counts.of(tenant).types.size,
      get totalEventCount() {
        return counts.total.events;
      },
      get totalEntityCount() {
        return counts.total.entities;
      },
    };
  }

  #durableHead(tenant: string, entity: string): EntityHead | null {
    let head = this.#kernel.lookUp({ tenant, isSystem: false }, entity);
    while (head.lastPosition > this.#durable.position) {
      const event = this.#unsettledEvent(head.lastPosition);
      head = { version: head.version - 1, lastPosition: event.previousPosition };
    }
    if (head.version === 0) return null;
    return { version: version(head.version), lastPosition: position(head.lastPosition) };
  }

  #unsettledEvent(at: number) {
    const holder = this.#unsettled.find(({ frame }) => frame.lastPosition >= at);
    const { frame } = must(holder, 'what is not durable is in an unsettled frame');
    return frame.event(at - frame.position);
  }
}

function endOf(frame: Frame): End {
  return { position: frame.lastPosition, checksum: frame.checksum };
}

function tableFull(entities: number): Error {
  return problem(
    'storage_full',
    `This node knows ${entities} entities, and its table of entities has no memory for another. Events of known entities are still taken.`,
  );
}
