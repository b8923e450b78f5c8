import { HEAD_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { Problem } from '@allsource/shared/errors';
import type { FollowerStatus } from '@allsource/service-kit/feed';
import { parsedObject } from '../upstream/answer-members.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { NOTHING_KNOWN, type NodeStatus } from './node-status.ts';
import { probeService } from './probe-service.ts';

const HEAD_TIMEOUT_MS = 2_000;

export interface ClusterOptions {
  readonly core: ServiceClient;
  /** Null where no query service is configured. */
  readonly query: ServiceClient | null;
  readonly internalToken: string;
  readonly version: string;
  /** Where the control plane itself listens. */
  readonly ownUrl: () => string;
  /** How far the control plane follows the log. */
  readonly follower: () => FollowerStatus;
  readonly nowMs: () => number;
}

export interface ClusterPicture {
  readonly nodes: readonly NodeStatus[];
  /** The log's own id, which names the store; null while core does not answer. */
  readonly logId: string | null;
}

/** The services of one store, seen from the control plane. */
export class Cluster {
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Asks every service at once. */
  async look(): Promise<ClusterPicture> {
    const { core, query, nowMs } = this.#options;
    const [head, coreNode, queryNode] = await Promise.all([
      this.#head(),
      probeService({ client: core, type: 'event-store', nowMs }),
      query === null ? null : probeService({ client: query, type: 'query-service', nowMs }),
    ]);
    const position = head?.position ?? coreNode.stats.position;
    const nodes = [coreNode, ...(queryNode === null ? [] : [queryNode]), this.#own()];
    return {
      nodes: nodes.map((node) => withLag(node, position)),
      logId: head?.logId ?? null,
    };
  }

  async #head(): Promise<{ readonly position: number; readonly logId: string } | null> {
    const { core, internalToken } = this.#options;
    try {
      const answer = await core.request({
        method: 'GET',
        path: HEAD_PATH,
        headers: { [INTERNAL_TOKEN_HEADER]: internalToken },
        timeoutMs: HEAD_TIMEOUT_MS,
      });
      const { head, log_id: logId } = parsedObject(answer.text) ?? {};
      return typeof head === 'number' && typeof logId === 'string'
        ? { position: head, logId }
        : null;
    } catch (error) {
      // The node's own entry says that core does not answer.
      if (error instanceof Problem) return null;
      throw error;
    }
  }

  #own(): NodeStatus {
    const { ownUrl, follower, version } = this.#options;
    const { appliedPosition, hasCaughtUp, fault } = follower();
    return {
      id: 'control-plane',
      type: 'control-plane',
      status: hasCaughtUp ? 'healthy' : 'unhealthy',
      url: ownUrl(),
      stats: {
        ...NOTHING_KNOWN,
        position: appliedPosition,
        uptime_seconds: Math.floor(process.uptime()),
        memory_bytes: process.memoryUsage.rss(),
        version,
        fault: hasCaughtUp ? null : (fault ?? 'The keys are still being read from core.'),
      },
    };
  }
}

function withLag(node: NodeStatus, head: number | null): NodeStatus {
  const { position } = node.stats;
  const isReader = node.type !== 'event-store';
  const lag = head === null || position === null || !isReader ? null : Math.max(0, head - position);
  return { ...node, stats: { ...node.stats, lag_events: lag } };
}
