/**
 * Who may import whom (`npm run check`). The picture is in docs/ARCHITECTURE.md; in one line:
 * services -> service-kit -> shared, cli -> client -> shared, and inside core: http -> concepts -> append, read -> log -> storage.
 */

const TEST_FILE = '\\.test\\.ts$|/test/|^tests/|^packages/testkit/';
const TEST_FILE_IN_PACKAGE = '\\.test\\.ts$|/test/';

/** Which workspace packages the sources of each package may import. */
const PACKAGE_IMPORTS = {
  shared: [],
  'service-kit': ['shared'],
  schemas: ['sandbox', 'service-kit', 'shared'],
  sandbox: ['shared'],
  client: ['shared'],
  testkit: ['shared', 'client'],
  cli: ['client', 'shared'],
  emmett: ['client'],
  launcher: ['service-kit', 'shared'],
};

const BELOW_CONCEPTS = 'append|read|log|storage|observability';

/** `name` says the rule in words: it is what a violation prints. */
const forbidden = [
  {
    name: 'no-import-cycles',
    comment:
      'Type-only imports count too: two files that need each other are one concept, or lack a third.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'every-import-is-found',
    comment:
      'The import leads nowhere: a misspelt path, or a door that the package does not export.',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'every-import-is-declared',
    comment: "Declare the package in this package's own package.json.",
    from: {},
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'no-development-packages-in-sources',
    comment:
      'What runs in production may import only `dependencies`; types may come from devDependencies.',
    from: { path: '^(packages|services)/[^/]+/src/', pathNot: TEST_FILE },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '/@types/' },
  },
  ...Object.entries(PACKAGE_IMPORTS).map(([name, allowed]) => ({
    name: `${name}-imports-only-${allowed.join('-and-') || 'itself'}`,
    from: { path: `^packages/${name}/`, pathNot: TEST_FILE_IN_PACKAGE },
    to: {
      path: '^(packages|services|tests)/',
      pathNot: `^packages/(${[name, ...allowed].join('|')})/`,
    },
  })),
  {
    name: 'services-never-import-each-other',
    comment: 'Services meet over the network, through shared/protocol.',
    from: { path: '^services/([^/]+)/' },
    to: { path: '^services/', pathNot: '^services/$1/' },
  },
  {
    name: 'services-never-import-the-command-line-or-the-launcher',
    from: { path: '^services/' },
    to: { path: '^packages/(cli|launcher)/' },
  },
  {
    name: 'testkit-is-for-tests',
    from: { pathNot: TEST_FILE },
    to: { path: '^packages/testkit/' },
  },
  {
    name: 'sources-never-import-tests',
    from: { pathNot: TEST_FILE },
    to: { path: '\\.test\\.ts$|/test/|^tests/' },
  },
  {
    name: 'tests-use-public-doors',
    comment: 'tests/ runs the services as a user does: over the network, or through a client.',
    from: { path: '^tests/' },
    to: { path: '^services/' },
  },
  {
    name: 'core-storage-is-the-lowest-layer',
    from: { path: '^services/core/src/storage/', pathNot: TEST_FILE },
    to: { path: '^services/core/src/', pathNot: '^services/core/src/(storage|observability)/' },
  },
  {
    name: 'core-log-imports-only-storage',
    from: { path: '^services/core/src/log/', pathNot: TEST_FILE },
    to: { path: '^services/core/src/', pathNot: '^services/core/src/(log|storage|observability)/' },
  },
  {
    name: 'core-append-and-read-import-only-the-log',
    from: { path: '^services/core/src/(append|read)/', pathNot: TEST_FILE },
    to: { path: '^services/core/src/', pathNot: `^services/core/src/(${BELOW_CONCEPTS})/` },
  },
  {
    name: 'json-schema-knows-nothing-of-the-store',
    from: { path: '^packages/schemas/src/json-schema/', pathNot: TEST_FILE },
    to: { path: '^packages/schemas/src/', pathNot: '^packages/schemas/src/json-schema/' },
  },
  {
    name: 'core-http-is-imported-only-by-the-composition-root',
    from: {
      path: '^services/core/src/',
      pathNot: `^services/core/src/(http/|[a-z-]+\\.ts$)|${TEST_FILE}`,
    },
    to: { path: '^services/core/src/http/' },
  },
  {
    name: 'core-log-and-storage-know-no-http-config-or-access',
    comment: 'Not through a package either.',
    from: { path: '^services/core/src/(log|storage)/', pathNot: TEST_FILE },
    to: {
      path: '^packages/(service-kit/src/(http|config)|shared/src/access)/|/node_modules/(express|ws)/',
    },
  },
  {
    name: 'query-analytics-and-formats-know-no-routes',
    comment: 'http -> formats -> reads -> history; http -> analytics -> history.',
    from: { path: '^services/query/src/(analytics|formats)/', pathNot: TEST_FILE },
    to: { path: '^services/query/src/(http|gateway|projections)/' },
  },
  {
    name: 'query-snapshots-import-only-the-history',
    comment: 'And how a damaged SQLite file is set aside.',
    from: { path: '^services/query/src/snapshots/', pathNot: TEST_FILE },
    to: {
      path: '^services/query/src/',
      pathNot: '^services/query/src/(snapshots/|history/|projections/projection-database\\.ts$)',
    },
  },
  {
    name: 'query-parquet-knows-nothing-of-the-other-read-stores',
    comment: 'The Parquet files are written from the log, in a thread of their own.',
    from: { path: '^services/query/src/parquet/', pathNot: TEST_FILE },
    to: { path: '^services/query/src/', pathNot: '^services/query/src/(parquet|config|threads)/' },
  },
  {
    name: 'query-replay-imports-only-projections-and-what-counts-events',
    comment: 'And the projections know nothing of replays.',
    from: { path: '^services/query/src/replay/', pathNot: TEST_FILE },
    to: {
      path: '^services/query/src/',
      pathNot: '^services/query/src/(replay|projections|history|catalog)/',
    },
  },
  {
    name: 'query-projections-stand-alone',
    from: { path: '^services/query/src/projections/', pathNot: TEST_FILE },
    to: { path: '^services/query/src/', pathNot: '^services/query/src/projections/' },
  },
  {
    name: 'query-projection-kinds-are-pure',
    comment: 'What a projection computes knows nothing of files, feeds, processes or routes.',
    from: { path: '^services/query/src/projections/kinds/', pathNot: TEST_FILE },
    to: {
      path: '^(services/query/src/|packages/service-kit/)|/node_modules/(better-sqlite3|express)/',
      pathNot: '^services/query/src/projections/kinds/',
    },
  },
  {
    name: 'query-pipeline-operators-are-pure',
    comment: 'What a pipeline computes knows nothing of files, feeds, processes or routes.',
    from: { path: '^services/query/src/pipelines/(operators|definition)/', pathNot: TEST_FILE },
    to: {
      path: '^(services/query/src/|packages/service-kit/)|/node_modules/(better-sqlite3|express)/',
      pathNot: '^services/query/src/pipelines/(operators|definition)/',
    },
  },
  {
    name: 'query-pipelines-know-no-routes',
    comment: 'http -> pipelines -> pipelines/run -> operators -> definition.',
    from: { path: '^services/query/src/pipelines/', pathNot: TEST_FILE },
    to: { path: '^services/query/src/(http|gateway)/' },
  },
  {
    name: 'observability-imports-nothing-of-its-service',
    from: { path: '^services/([^/]+)/src/observability/', pathNot: TEST_FILE },
    to: { path: '^services/', pathNot: '^services/$1/src/observability/' },
  },
];

const config = {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: {
      path: '(^|/)dist/|^services/[^/]+/kernel/assembly/|^bench/subjects/ingest-probe/assembly/',
    },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};

export default config;
