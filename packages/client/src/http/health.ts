import { AllSourceError } from './allsource-error.ts';
import { type CallOptions, callMembers, objectOf } from './connection.ts';
import type { Transport } from './transport.ts';
import { optionalText, textMember, type WireObject } from './wire.ts';

/** What a service says of itself. */
export interface ServiceHealth {
  /** `healthy` when it can serve. */
  readonly status: string;
  readonly service: string | null;
  readonly version: string | null;
  /** Why it cannot serve; null when it can. */
  readonly fault: string | null;
}

/** Asks a service once how it is. */
export async function askHealth(
  transport: Transport,
  options: CallOptions,
): Promise<ServiceHealth> {
  try {
    const answer = await transport.request({
      method: 'GET',
      path: '/health',
      ...callMembers(options),
    });
    return parseHealth(objectOf(answer));
  } catch (error) {
    const problem = error instanceof AllSourceError ? error.problem : null;
    if (typeof problem?.['status'] === 'string') return parseHealth({ ...problem });
    throw error;
  }
}

/** Reads the answer of `GET /health`, also one that says that all is not well. */
function parseHealth(health: WireObject): ServiceHealth {
  return {
    status: textMember(health, 'status'),
    service: optionalText(health, 'service'),
    version: optionalText(health, 'version'),
    fault: optionalText(health, 'error'),
  };
}
