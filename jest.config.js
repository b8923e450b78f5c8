/** Tests run as ES modules on Node, compiled one file at a time by swc; types are checked by `npm run check`. */
const config = {
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        sourceMaps: 'inline',
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      },
    ],
  },
  // Workspace packages export TypeScript; each import says its suffix, so nothing has to be guessed.
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  testEnvironment: '<rootDir>/scripts/jest-environment.cjs',
  maxWorkers: 2,
  // Only a test that hangs meets it: no test is about time, and the machine may be busy.
  testTimeout: process.env.ALLSOURCE_TEST_FAULTS === 'long' ? 4 * 3_600_000 : 300_000,
  watchman: false,
  reporters: ['default', '<rootDir>/scripts/test-counts-reporter.cjs'],
};

export default config;
