/** Why a sandboxed function gave no result. */
export type SandboxFaultKind =
  /** The source is not a program, or not one that gives a function. */
  | 'source'
  /** It threw. */
  | 'thrown'
  /** It used up its steps. */
  | 'steps'
  /** It used up its memory. */
  | 'memory'
  /** It called itself too deeply. */
  | 'stack'
  /** It asked for something outside: the clock, the local time zone. */
  | 'outside'
  /** What it gave back is not JSON, or too long. */
  | 'result';

/** Where in the source, counted from 1; null where it is not known. */
export interface SourcePlace {
  readonly line: number;
  readonly column: number;
}

/** A sandboxed function failed. The same arguments fail again. The message is one sentence for who wrote the function. */
export class SandboxFault extends Error {
  override readonly name = 'SandboxFault';
  readonly kind: SandboxFaultKind;
  readonly place: SourcePlace | null;

  constructor(kind: SandboxFaultKind, message: string, place: SourcePlace | null = null) {
    super(place === null ? message : `line ${place.line}, column ${place.column}: ${message}`);
    this.kind = kind;
    this.place = place;
  }
}
