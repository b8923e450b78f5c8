/** docker-compose.yml, the images it builds and the configuration of NATS, checked without an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '@allsource/service-kit/config';
import { parse } from 'yaml';
import { REPOSITORY } from '../support/running-store.ts';
import { argumentsOf, environmentOf, stagesOf } from './dockerfile.ts';
import { reportNotTested } from '@allsource/testkit';
import { findOrInstallTool, outputOf } from './tool.ts';

interface ComposeService {
  readonly image: string;
  readonly build?: { readonly dockerfile: string };
  readonly user?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly mem_limit?: string;
  readonly pids_limit?: number;
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const PORTS = {
  core: SETTINGS.corePort,
  query: SETTINGS.queryPort,
  'control-plane': SETTINGS.controlPlanePort,
} as const;
const OURS = Object.keys(PORTS) as (keyof typeof PORTS)[];
const KNOWN = new Set<string>(Object.values(SETTINGS).map((setting) => setting.name));
// Not settings: NODE_ENV is Node's, and NATS_USER chooses the password that compose puts into NATS_URL.
const FOREIGN = new Set(['NODE_ENV', 'NATS_USER']);
const TOKEN_FOLDER = '/run/allsource';

const file = join(REPOSITORY, 'docker-compose.yml');
const compose = parse(readFileSync(file, 'utf8'), { merge: true }) as Compose;
const dockerfiles = new Map(
  OURS.map((name) => [
    name,
    stagesOf(readFileSync(join(REPOSITORY, `services/${name}/Dockerfile`), 'utf8')),
  ]),
);
const dockerCompose = findOrInstallTool('docker-compose');
if (dockerCompose === null) {
  reportNotTested(
    'docker-compose.yml with docker-compose',
    'There is no docker-compose; it was only read.',
  );
}

function serviceOf(name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

function unknownNames(names: readonly string[]): string[] {
  return names.filter((name) => !KNOWN.has(name) && !FOREIGN.has(name));
}

(dockerCompose === null ? describe.skip : describe)('docker-compose', () => {
  it('accepts docker-compose.yml', () => {
    expect(outputOf(dockerCompose ?? '', ['--file', file, 'config', '--quiet'])).toBe('');
  });
});

describe('docker-compose.yml', () => {
  it('builds the three services and pins the image of NATS', () => {
    for (const name of OURS) {
      expect(serviceOf(name).build?.dockerfile).toBe(`services/${name}/Dockerfile`);
    }
    for (const { image } of Object.values(compose.services)) {
      expect(image).toMatch(/:(?!latest$)[\w.-]+$/);
    }
  });

  it('publishes the gateway and the control plane on the loopback address, and nothing else', () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    );
    expect(published.toSorted()).toEqual([
      'control-plane 127.0.0.1:3901:3901',
      'query 127.0.0.1:3902:3902',
    ]);
  });

  it('keeps core and NATS on a network without a way out', () => {
    expect(compose.networks['inner']?.internal).toBe(true);
    for (const name of ['core', 'nats']) expect(serviceOf(name).networks).toEqual(['inner']);
    expect(serviceOf('nats-passwords').network_mode).toBe('none');
  });

  it('waits until core is healthy, and for the passwords of NATS before anything starts', () => {
    expect(serviceOf('nats').depends_on).toEqual({
      'nats-passwords': { condition: 'service_completed_successfully' },
    });
    // NATS itself is not waited for: readers follow core while it is away.
    expect(serviceOf('core').depends_on).toEqual({ nats: { condition: 'service_started' } });
    for (const name of ['query', 'control-plane']) {
      expect(serviceOf(name).depends_on?.['core']).toEqual({ condition: 'service_healthy' });
    }
  });

  it('gives each service data of its own, and the secrets to read; core alone writes the token', () => {
    for (const name of OURS) {
      const { volumes, environment } = serviceOf(name);
      expect(volumes).toContain(`${name}-data:/data`);
      expect(volumes).toContain(`inside:${TOKEN_FOLDER}${name === 'core' ? '' : ':ro'}`);
      expect(environment?.['ALLSOURCE_INTERNAL_TOKEN_FILE']).toBe(`${TOKEN_FOLDER}/internal-token`);
    }
    const named = Object.values(compose.services)
      .flatMap(({ volumes }) => volumes.map((volume) => volume.split(':')[0] ?? ''))
      .filter((source) => !source.startsWith('.'));
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
  });

  it('keeps the internal token from NATS, which reads its passwords as another user of the group', () => {
    expect(serviceOf('nats').user).toBe('10002:10001');
    expect(dockerfiles.get('core')?.[2]).toContainEqual({ name: 'USER', argument: '10001:10001' });
  });

  it('takes privileges away and sets limits', () => {
    for (const service of Object.values(compose.services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        mem_limit: expect.stringMatching(/^\d+[mg]$/),
        pids_limit: expect.any(Number),
      });
    }
  });

  it('gives a stop more time than running requests get', () => {
    for (const name of OURS) {
      const seconds = Number(/^(\d+)s$/.exec(serviceOf(name).stop_grace_period ?? '')?.[1]);
      expect(seconds * 1000).toBeGreaterThan(SETTINGS.shutdownGraceMs.defaultValue);
    }
  });

  it('names only settings that the services know, and leads their URLs to the default ports', () => {
    for (const name of OURS) {
      const environment = serviceOf(name).environment ?? {};
      expect(unknownNames(Object.keys(environment))).toEqual([]);
      for (const [key, value] of Object.entries(environment)) {
        if (!key.endsWith('_URL')) continue;
        const { hostname, port } = new URL(value);
        expect([key, port]).toEqual([
          key,
          String(PORTS[hostname as keyof typeof PORTS].defaultValue),
        ]);
      }
    }
  });
});

describe.each(OURS)('services/%s/Dockerfile', (name) => {
  const [preamble, build, image] = dockerfiles.get(name) ?? [];

  it('can be built on another base, in two stages', () => {
    expect(argumentsOf(preamble, 'ARG')).toEqual(['BASE=node:24-slim']);
    expect(argumentsOf(build, 'FROM')).toEqual(['${BASE} AS build']);
    expect(argumentsOf(image, 'FROM')).toEqual(['${BASE}']);
  });

  it('installs what the lock file says, with the pnpm of package.json', () => {
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
      packageManager: string;
    };
    const steps = argumentsOf(build, 'RUN');
    expect(steps[0]).toContain(manifest.packageManager);
    expect(steps.some((step) => step.includes('--frozen-lockfile'))).toBe(true);
    expect(steps.at(-1)).toContain(`--filter @allsource/${name} `);
    expect(steps.at(-1)).toContain('deploy --prod --offline');
  });

  it('runs as a fixed user that is not root, on the default port, with a volume for its data', () => {
    expect(argumentsOf(image, 'USER')).toEqual(['10001:10001']);
    expect(argumentsOf(image, 'VOLUME')).toEqual(['["/data"]']);
    expect(argumentsOf(image, 'EXPOSE')).toEqual([String(PORTS[name].defaultValue)]);
    expect(argumentsOf(image, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(argumentsOf(image, 'CMD')).toEqual([
      '["node", "--enable-source-maps", "--no-memory-protection-keys", "dist/main.js"]',
    ]);
    const environment = environmentOf(image);
    expect(unknownNames(Object.keys(environment))).toEqual([]);
    expect(environment).toMatchObject({ ALLSOURCE_HOST: '0.0.0.0', ALLSOURCE_DATA_DIR: '/data' });
  });

  it('asks for readiness with node, on the port of its setting', () => {
    const [check = ''] = argumentsOf(image, 'HEALTHCHECK');
    const command = JSON.parse(check.slice(check.indexOf('['))) as string[];
    expect(command.slice(0, 2)).toEqual(['node', '-e']);
    expect(command[2]).toContain(`process.env.${PORTS[name].name} || ${PORTS[name].defaultValue}`);
    expect(command[2]).toContain('/readyz');
  });

  it('says what the image is', () => {
    const [labels = ''] = argumentsOf(image, 'LABEL');
    for (const label of ['title', 'description', 'version', 'revision', 'licenses']) {
      expect(labels).toContain(`org.opencontainers.image.${label}=`);
    }
  });
});
