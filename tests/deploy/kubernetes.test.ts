/** deploy/k8s, checked without a cluster: kubectl renders it, kubernetes-models checks each object, and our own rules are checked here. */
import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '@allsource/service-kit/config';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy as NetworkPolicyModel } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import {
  type Container,
  type KubernetesObject,
  type NetworkPolicy,
  ofKind,
  render,
  type Workload,
} from './kubernetes-objects.ts';
import { type Endpoint, matchesSelector, mayConnect } from './network-policy.ts';
import { reportNotTested } from '@allsource/testkit';
import { findTool } from './tool.ts';

const FOLDERS = ['base', 'overlays/dev', 'overlays/production'];
const OUR_SERVICES = ['core', 'query', 'control-plane'];
const PORTS: Readonly<Record<string, number>> = {
  core: SETTINGS.corePort.defaultValue,
  query: SETTINGS.queryPort.defaultValue,
  'control-plane': SETTINGS.controlPlanePort.defaultValue,
  nats: 4222,
};
// Not a setting: Kubernetes puts them into NATS_URL, and NATS reads them in its configuration.
const PASSWORDS = ['NATS_CORE_PASSWORD', 'NATS_QUERY_PASSWORD'];
const RECOMMENDED_LABELS = ['instance', 'managed-by', 'part-of', 'version'];
const MODELS = {
  ConfigMap,
  Deployment,
  Ingress,
  Namespace,
  NetworkPolicy: NetworkPolicyModel,
  PodDisruptionBudget,
  Service,
  ServiceAccount,
  StatefulSet,
};

const kubectl = findTool('kubectl');
if (kubectl === null) reportNotTested('deploy/k8s', 'There is no kubectl to render it.');
const rendered = new Map<string, KubernetesObject[]>();

function objectsOf(folder: string): KubernetesObject[] {
  const objects = rendered.get(folder) ?? render(kubectl ?? '', folder);
  rendered.set(folder, objects);
  return objects;
}

function workloadsOf(folder: string): Workload[] {
  return ofKind(objectsOf(folder), 'Deployment', 'StatefulSet');
}

function nameOf(workload: Workload): string {
  return workload.spec.template.metadata.labels['app.kubernetes.io/name'] ?? '';
}

function containerOf(workload: Workload): Container {
  const [container, ...others] = workload.spec.template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error('not exactly one container');
  return container;
}

/** A pod as NetworkPolicies see it. */
function endpointOf(workload: Workload): Endpoint {
  const namespace = workload.metadata.namespace ?? '';
  return {
    namespace,
    namespaceLabels: { 'kubernetes.io/metadata.name': namespace },
    labels: workload.spec.template.metadata.labels,
  };
}

(kubectl === null ? describe.skip : describe).each(FOLDERS)('deploy/k8s/%s', (folder) => {
  it('renders objects that Kubernetes accepts', () => {
    const objects = objectsOf(folder);
    for (const object of objects) {
      const Model = MODELS[object.kind as keyof typeof MODELS];
      expect([object.kind, Model === undefined]).toEqual([object.kind, false]);
      // The model takes what the file says; whether that is right is what validate() finds out.
      const model = new Model(object as never);
      expect(() => model.validate()).not.toThrow();
    }
    expect(workloadsOf(folder).map(nameOf).toSorted()).toEqual(Object.keys(PORTS).toSorted());
  });

  it('gives every object the labels that Kubernetes recommends', () => {
    for (const object of objectsOf(folder)) {
      const labels = Object.keys(object.metadata.labels ?? {});
      expect(labels).toEqual(
        expect.arrayContaining(RECOMMENDED_LABELS.map((label) => `app.kubernetes.io/${label}`)),
      );
    }
  });

  it('puts everything into one namespace that enforces the restricted pod security standard', () => {
    const [namespace] = ofKind(objectsOf(folder), 'Namespace');
    expect(namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce']).toBe('restricted');
    const namespaces = objectsOf(folder)
      .filter((object) => object.kind !== 'Namespace')
      .map((object) => object.metadata.namespace);
    expect(new Set(namespaces)).toEqual(new Set([namespace?.metadata.name]));
  });

  it('holds no secret and names one Secret that is made by hand', () => {
    expect(ofKind(objectsOf(folder), 'Secret')).toEqual([]);
    const references = workloadsOf(folder)
      .flatMap((workload) => containerOf(workload).env ?? [])
      .flatMap((variable) => variable.valueFrom?.secretKeyRef ?? []);
    expect(new Set(references.map((reference) => reference.name))).toEqual(
      new Set(['allsource-secrets']),
    );
    for (const reference of references.filter(({ key }) => key === 'internal-token')) {
      expect(reference.optional ?? false).toBe(false);
    }
  });

  it('runs pods that are not root, change no file but their volumes, and know no Kubernetes token', () => {
    for (const workload of workloadsOf(folder)) {
      const { spec } = workload.spec.template;
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        serviceAccountName: workload.metadata.name,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(spec.securityContext?.runAsUser).toBeGreaterThan(0);
      expect(spec.securityContext?.fsGroup).toBe(spec.securityContext?.runAsUser);
      expect(containerOf(workload).securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    for (const account of ofKind(objectsOf(folder), 'ServiceAccount')) {
      expect(account.automountServiceAccountToken).toBe(false);
    }
  });

  it('probes life and readiness apart, gives a start its time and a stop more than its grace', () => {
    for (const workload of workloadsOf(folder)) {
      const container = containerOf(workload);
      const ours = OUR_SERVICES.includes(nameOf(workload));
      expect(container.livenessProbe?.httpGet?.path).toBe(ours ? '/livez' : '/healthz');
      expect(container.readinessProbe?.httpGet?.path).toBe(ours ? '/readyz' : '/healthz');
      expect(container.startupProbe?.httpGet?.path).toBe(ours ? '/readyz' : '/healthz');
      const graceMs = (workload.spec.template.spec.terminationGracePeriodSeconds ?? 0) * 1000;
      expect(graceMs).toBeGreaterThan(SETTINGS.shutdownGraceMs.defaultValue + 5_000);
    }
  });

  it('asks for resources, limits memory and pins every image', () => {
    for (const workload of workloadsOf(folder)) {
      const { resources, image } = containerOf(workload);
      expect(Object.keys(resources?.requests ?? {}).toSorted()).toEqual(['cpu', 'memory']);
      expect(resources?.limits?.['memory']).toBeDefined();
      expect(image).toMatch(/:(?!latest$)[\w.-]+$/);
    }
  });

  it('names only settings that the services know', () => {
    const known = new Set<string>(Object.values(SETTINGS).map((setting) => setting.name));
    const maps = ofKind(objectsOf(folder), 'ConfigMap');
    for (const workload of workloadsOf(folder)) {
      const { env = [], envFrom = [] } = containerOf(workload);
      const fromMaps = envFrom.flatMap(({ configMapRef }) => {
        const map = maps.find(({ metadata }) => metadata.name === configMapRef?.name);
        expect(map).toBeDefined();
        return Object.keys(map?.data ?? {});
      });
      const names = [...env.map(({ name }) => name), ...fromMaps];
      expect(names.filter((name) => !known.has(name) && !PASSWORDS.includes(name))).toEqual([]);
    }
  });

  it('listens on the ports that are the defaults, and leads every Service and URL to them', () => {
    const services = ofKind(objectsOf(folder), 'Service');
    for (const workload of workloadsOf(folder)) {
      const port = PORTS[nameOf(workload)] ?? 0;
      const container = containerOf(workload);
      expect(container.ports[0]?.containerPort).toBe(port);
      const own = services.filter(({ spec }) =>
        matchesSelector({ matchLabels: spec.selector }, workload.spec.template.metadata.labels),
      );
      expect(own.map(({ spec }) => spec.ports[0]?.port)).toEqual(own.map(() => port));
      expect(own.some(({ spec }) => spec.clusterIP !== 'None')).toBe(true);
      for (const { name, value = '' } of container.env ?? []) {
        if (!name.endsWith('_URL')) continue;
        const url = new URL(value.replace(/\$\(\w+\)/, 'password'));
        const target = services.find(({ metadata }) => metadata.name === url.hostname);
        expect([name, target?.spec.ports[0]?.port]).toEqual([name, Number(url.port)]);
      }
    }
  });

  it('runs one writer on a volume that outlives it, with a headless Service', () => {
    const core = workloadsOf(folder).find((workload) => nameOf(workload) === 'core');
    expect(core?.kind).toBe('StatefulSet');
    expect(core?.spec).toMatchObject({
      replicas: 1,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    });
    expect(core?.spec.volumeClaimTemplates).toHaveLength(1);
    // A claim template cannot be changed, so a label that changes with a release would block every upgrade.
    const labels = core?.spec.volumeClaimTemplates?.[0]?.metadata.labels ?? {};
    expect(labels['app.kubernetes.io/version']).toBeUndefined();
    const headless = ofKind(objectsOf(folder), 'Service').filter(
      ({ spec }) => spec.clusterIP === 'None',
    );
    expect(headless.map(({ metadata }) => metadata.name)).toEqual([
      (core?.spec as { serviceName?: string } | undefined)?.serviceName,
    ]);
  });

  it('has a disruption budget for each workload', () => {
    const budgets = ofKind(objectsOf(folder), 'PodDisruptionBudget');
    for (const workload of workloadsOf(folder)) {
      const labels = workload.spec.template.metadata.labels;
      expect(budgets.filter(({ spec }) => matchesSelector(spec.selector, labels))).toHaveLength(1);
    }
  });

  it('lets only the callers reach a port that need it', () => {
    const policies: NetworkPolicy[] = ofKind(objectsOf(folder), 'NetworkPolicy');
    const workloads = workloadsOf(folder);
    const namespace = workloads[0]?.metadata.namespace ?? '';
    const coreLabels = workloads.find((w) => nameOf(w) === 'core')?.spec.template.metadata.labels;
    const inside = workloads.map((w) => ({ name: nameOf(w), endpoint: endpointOf(w) }));
    const callers = [
      ...inside,
      { name: 'stranger', endpoint: strangerIn(namespace, {}) },
      { name: 'pod of another namespace', endpoint: strangerIn('other', {}) },
      { name: 'impostor of another namespace', endpoint: strangerIn('other', coreLabels ?? {}) },
      {
        name: 'impostor gateway of another namespace',
        endpoint: strangerIn('other', {
          ...coreLabels,
          'app.kubernetes.io/name': 'query',
        }),
      },
    ];
    const reaching = (name: string, port = PORTS[name] ?? 0) =>
      callers.filter(({ endpoint: from }) =>
        inside
          .filter((target) => target.name === name)
          .every(({ endpoint: to }) => mayConnect(policies, { from, to, port })),
      );
    expect(namesOf(reaching('core'))).toEqual(['control-plane', 'query']);
    expect(namesOf(reaching('nats'))).toEqual(['core', 'query']);
    expect(namesOf(reaching('control-plane'))).toEqual(['query']);
    expect(namesOf(reaching('query'))).toEqual([
      'control-plane',
      'impostor gateway of another namespace',
      'impostor of another namespace',
      'pod of another namespace',
    ]);
    for (const name of OUR_SERVICES) expect(namesOf(reaching(name, 9229))).toEqual([]);
    expect(namesOf(reaching('nats', 8222))).toEqual([]);
  });
});

it('finds the mistakes it looks for', () => {
  const wrong = { metadata: { name: 'x' }, spec: { replicas: 'one', selector: {}, template: {} } };
  expect(() => new Deployment(wrong as never).validate()).toThrow(/replicas/);
});

function namesOf(found: readonly { readonly name: string }[]): string[] {
  return found.map(({ name }) => name).toSorted();
}

function strangerIn(namespace: string, labels: Readonly<Record<string, string>>): Endpoint {
  return { namespace, namespaceLabels: { 'kubernetes.io/metadata.name': namespace }, labels };
}
