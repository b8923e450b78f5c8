import type {
  FindingKind,
  FindingSeverity,
  InspectionFinding,
  InspectionRecord,
} from '@allsource/shared/protocol';
import { PositionRanges } from './position-ranges.ts';

/** A finding as its finder knows it; what is left out is null. */
export interface Found {
  readonly kind: FindingKind;
  readonly segment?: string;
  readonly bytes?: { readonly offset: number; readonly endOffset: number };
  readonly firstPosition?: number;
  readonly lastPosition?: number | null;
  readonly reason: string;
}

const NOTICES: ReadonlySet<FindingKind> = new Set(['torn_tail', 'stray_bytes', 'no_head_marker']);

/** Hands findings on as they are made, and remembers of them what later judgements need: counts, and the positions that are not intact. */
export class Findings {
  damages = 0;
  notices = 0;
  /** Positions that cannot be read. */
  readonly unread = new PositionRanges();
  /** Positions that cannot be read or are not what they should be. */
  readonly notIntact = new PositionRanges();
  readonly #emit: (record: InspectionRecord) => void;

  constructor(emit: (record: InspectionRecord) => void) {
    this.#emit = emit;
  }

  add(found: Found): void {
    const finding = toRecord(found);
    if (finding.severity === 'notice') this.notices += 1;
    else this.#addDamage(finding);
    this.#emit(finding);
  }

  #addDamage({ kind, first_position: first, last_position: last }: InspectionFinding): void {
    this.damages += 1;
    if (first === null) return;
    const end = last ?? Number.MAX_SAFE_INTEGER;
    this.notIntact.add(first, end);
    if (kind === 'damaged_bytes' || kind === 'missing_positions') this.unread.add(first, end);
  }
}

function toRecord(found: Found): InspectionFinding {
  const { kind, segment, bytes, firstPosition, lastPosition, reason } = found;
  const severity: FindingSeverity = NOTICES.has(kind) ? 'notice' : 'damage';
  return {
    record: 'finding',
    severity,
    kind,
    segment: segment ?? null,
    offset: bytes?.offset ?? null,
    end_offset: bytes?.endOffset ?? null,
    first_position: firstPosition ?? null,
    last_position: lastPosition ?? null,
    reason,
  };
}
