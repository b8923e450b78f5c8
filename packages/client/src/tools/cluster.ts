import { isRecord } from '../http/is-record.ts';
import {
  listMember,
  numberMember,
  optionalNumber,
  optionalText,
  parseObject,
  textMember,
  type WireObject,
} from '../http/wire.ts';

/** One service of the store as the control plane sees it. */
export interface ClusterNode {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly url: string;
  /** Its own figures, such as `head_position` and `lag_events`. */
  readonly stats: WireObject;
}

export interface ClusterStatus {
  readonly healthy: boolean;
  readonly version: string | null;
  readonly nodes: readonly ClusterNode[];
  readonly eventCount: number | null;
  readonly streamCount: number | null;
  readonly storageBytes: number | null;
  readonly uptimeSeconds: number | null;
  /** The answer's JSON text exactly as the server sent it. */
  readonly json: string;
}

/** Reads the answer of `GET /api/v1/cluster/status`. */
export function parseClusterStatus(json: string): ClusterStatus {
  const status = parseObject(json);
  return {
    healthy: status['healthy'] === true,
    version: optionalText(status, 'version'),
    nodes: listMember(status, 'nodes').map((node) => ({
      id: textMember(node, 'id'),
      type: textMember(node, 'type'),
      status: textMember(node, 'status'),
      url: textMember(node, 'url'),
      stats: isRecord(node['stats']) ? node['stats'] : {},
    })),
    eventCount: optionalNumber(status, 'event_count'),
    streamCount: optionalNumber(status, 'stream_count'),
    storageBytes: optionalNumber(status, 'storage_bytes'),
    uptimeSeconds: numberMember(status, 'uptime_seconds'),
    json,
  };
}
