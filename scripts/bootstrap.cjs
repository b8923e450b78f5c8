/**
 * Installs the dependencies, so that a fresh clone needs nothing but `npm start` or `npm test`.
 *
 * Runs before each npm script that needs them, on whatever Node is on PATH (20 or later; hence CommonJS without types),
 * and does nothing when the lock file is the one of its last success. pnpm installs Node 24 as one of the
 * dependencies, into node_modules/.bin, which npm has put first on PATH: the script that follows runs on it.
 */
'use strict';

const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// The services run TypeScript as it is (type stripping) and use zstd from node:zlib.
const NODE_VERSION_MIN = [22, 18];

// pnpm runs scripts of the root package while it installs. One that came back here would start another install, and so
// on without end; this variable, set below, stops it.
const GUARD = 'ALLSOURCE_BOOTSTRAP';

/** Stands for the tree that an install of these files (lock file, workspace settings) makes on this machine. */
function installHash(texts) {
  const inputs = [process.platform, process.arch, ...texts];
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
}

/**
 * The environment for pnpm. npm hands its own settings down as npm_config_* variables, and pnpm would take them for
 * its own (prefix, package-lock, user-agent...). Only what says how to reach the registry may pass.
 */
function installEnvironment(environment) {
  const kept = /registry|cafile|_ca$|cert|proxy|strict_ssl|store|_cache$|userconfig|globalconfig/i;
  const entries = Object.entries(environment).filter(
    ([name]) => !/^npm_(config|lifecycle|package)_/i.test(name) || kept.test(name),
  );
  // CI=true makes pnpm replace a tree it does not like without asking.
  return { ...Object.fromEntries(entries), CI: 'true', [GUARD]: '1' };
}

function isNewEnough(version) {
  const match = /^v(\d+)\.(\d+)\./.exec(version);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return (
    major > NODE_VERSION_MIN[0] || (major === NODE_VERSION_MIN[0] && minor >= NODE_VERSION_MIN[1])
  );
}

function install(root) {
  const { packageManager } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  // From a folder outside of the repository: inside it, npx would take a pnpm from node_modules/.bin, which would then
  // be replacing itself. The version is exactly packageManager's, or pnpm would try to download that one.
  // --prod=false: NODE_ENV=production must not leave out the bundler.
  const result = spawnSync(
    'npx',
    ['-y', packageManager, '-C', root, 'install', '--frozen-lockfile', '--prod=false'],
    {
      cwd: os.tmpdir(),
      env: installEnvironment(process.env),
      // Its progress is not the output of the command that the user called.
      stdio: ['ignore', 2, 2],
    },
  );
  if (result.error !== undefined) fail(`could not start npx: ${result.error.message}`);
  if (result.status !== 0) {
    fail(
      'the dependencies could not be installed (the reason is above).\n' +
        'This needs the npm registry, and a pnpm-lock.yaml that fits every package.json.',
    );
  }
}

/** A Node that was installed but cannot run here (on Alpine's musl, for one) must not hide the system's. */
function removeNodeThatDoesNotRun(bundledNode) {
  if (!fs.existsSync(bundledNode)) return;
  if (spawnSync(bundledNode, ['--version']).status !== 0) fs.rmSync(bundledNode);
}

/** Stops with a clear message when the `node` that the next script finds cannot run the project. */
function requireNode(bundledNode) {
  if (fs.existsSync(bundledNode) || isNewEnough(process.version)) return;
  fail(
    `AllSource needs Node.js ${NODE_VERSION_MIN.join('.')} or later; this is ${process.version}.\n` +
      `On Linux (x64, arm64; glibc) it brings its own; on ${process.platform}-${process.arch} it could not.\n` +
      'Install Node.js 24 (https://nodejs.org) and run the command again.',
  );
}

function fail(message) {
  console.error(`\nbootstrap: ${message}\n`);
  process.exit(1);
}

function main() {
  if (process.env[GUARD] !== undefined) return;
  const root = path.resolve(__dirname, '..');
  const modules = path.join(root, 'node_modules');
  const bundledNode = path.join(modules, '.bin', 'node');
  const stamp = path.join(modules, '.bootstrap');
  const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
  const wanted = installHash([read('pnpm-lock.yaml'), read('pnpm-workspace.yaml')]);
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== wanted) {
    console.error('bootstrap: installing the dependencies (the first time: 10 to 30 seconds)');
    // A tree that `npm install` made: pnpm cannot build on it, nor npm on pnpm's.
    if (fs.existsSync(modules) && !fs.existsSync(path.join(modules, '.modules.yaml'))) {
      fs.rmSync(modules, { recursive: true, force: true });
    }
    install(root);
    removeNodeThatDoesNotRun(bundledNode);
    fs.writeFileSync(stamp, wanted);
  }
  requireNode(bundledNode);
}

if (require.main === module) main();

module.exports = { installEnvironment, installHash, isNewEnough };
