/** One service as the cluster status shows it. */
export interface NodeStatus {
  readonly id: 'core' | 'query' | 'control-plane';
  readonly type: 'event-store' | 'query-service' | 'control-plane';
  readonly status: 'healthy' | 'unhealthy' | 'unreachable';
  readonly url: string;
  readonly stats: NodeStats;
}

/** What is known of a service; null where it did not say. */
export interface NodeStats {
  /** The position it is true at: for core the end of the log. */
  readonly position: number | null;
  /** Events of the log that it lacks. */
  readonly lag_events: number | null;
  readonly uptime_seconds: number | null;
  readonly memory_bytes: number | null;
  readonly total_events: number | null;
  readonly total_entities: number | null;
  readonly storage_bytes: number | null;
  readonly version: string | null;
  /** Why it is not healthy, in a sentence; null when it is. */
  readonly fault: string | null;
}

export const NOTHING_KNOWN: NodeStats = {
  position: null,
  lag_events: null,
  uptime_seconds: null,
  memory_bytes: null,
  total_events: null,
  total_entities: null,
  storage_bytes: null,
  version: null,
  fault: null,
};
