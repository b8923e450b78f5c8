import type { Frame } from '@allsource/shared/protocol';

/** Tells a tenant's own frames from all others. System frames are nobody's: no tenant's read shows them. */
export class TenantMatcher {
  readonly tenant: string;
  readonly #bytes: Buffer;

  constructor(tenant: string) {
    this.tenant = tenant;
    this.#bytes = Buffer.from(tenant);
  }

  /** True when the frame's events are the tenant's. */
  owns(frame: Frame): boolean {
    return !frame.isSystem && frame.tenantBytes.equals(this.#bytes);
  }
}
