/** A request whose events stand in the kernel's event table. It is valid until the kernel reads the next one. */
export interface ScannedRequest {
  /** The tenant that the request names; null when it names none. */
  readonly tenant: string | null;
  readonly eventCount: number;
  /** The route it came by, which decides how it is answered. */
  readonly shape: 'single' | 'batch';
  /** Which reading of the kernel it is. */
  readonly generation: number;
}
