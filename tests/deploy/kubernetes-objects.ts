/** The parts of Kubernetes objects that the tests look at, and what kustomize renders for a folder of deploy/k8s. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { REPOSITORY } from '../support/running-store.ts';
import { outputOf } from './tool.ts';

export type Labels = Readonly<Record<string, string>>;

export interface LabelSelector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: {
      readonly name: string;
      readonly key: string;
      readonly optional?: boolean;
    };
  };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly EnvironmentVariable[];
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[] };
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly fsGroup?: number;
    readonly seccompProfile?: { readonly type: string };
  };
  readonly containers: readonly Container[];
}

export interface PolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string };
}

export interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly { readonly protocol?: string; readonly port?: number | string }[];
}

interface Base<K extends string, S> {
  readonly apiVersion: string;
  readonly kind: K;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
  };
  readonly spec: S;
}

export type Workload = Base<
  'Deployment' | 'StatefulSet',
  {
    readonly replicas: number;
    readonly selector: LabelSelector;
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly labels?: Labels } }[];
  }
>;

export type Service = Base<
  'Service',
  {
    readonly clusterIP?: string;
    readonly type?: string;
    readonly selector: Labels;
    readonly ports: readonly { readonly port: number; readonly targetPort: string }[];
  }
>;

export type NetworkPolicy = Base<
  'NetworkPolicy',
  {
    readonly podSelector: LabelSelector;
    readonly policyTypes: readonly string[];
    readonly ingress?: readonly PolicyRule[];
    readonly egress?: readonly PolicyRule[];
  }
>;

export type DisruptionBudget = Base<'PodDisruptionBudget', { readonly selector: LabelSelector }>;

export type KubernetesObject =
  | Workload
  | Service
  | NetworkPolicy
  | DisruptionBudget
  | (Base<'ConfigMap', unknown> & { readonly data: Readonly<Record<string, string>> })
  | (Base<'ServiceAccount', unknown> & { readonly automountServiceAccountToken?: boolean })
  | Base<'Namespace', unknown>
  | Base<'Ingress', unknown>
  | Base<'Secret', unknown>;

/** All objects of `kubectl kustomize deploy/k8s/<folder>`. */
export function render(kubectl: string, folder: string): KubernetesObject[] {
  const text = outputOf(kubectl, ['kustomize', join(REPOSITORY, 'deploy/k8s', folder)]);
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

/** The objects of one kind. */
export function ofKind<K extends KubernetesObject['kind']>(
  objects: readonly KubernetesObject[],
  ...kinds: readonly K[]
): Extract<KubernetesObject, { readonly kind: K }>[] {
  return objects.filter((object): object is Extract<KubernetesObject, { readonly kind: K }> =>
    (kinds as readonly string[]).includes(object.kind),
  );
}
