/**
 * Installs the dependencies, so that a fresh clone needs nothing but `npm start` or `npm test`.
 *
 * Runs before each npm script that needs them, on whatever Node is on PATH (20 or later; hence CommonJS without types),
 * and does nothing when the lock file has not changed since its last success. pnpm installs Node 24 as one of the
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

/** What the stamp must hold for the installed tree to be the wanted one. */
function lockHash(lockText) {
  return createHash('sha256')
    .update(`${process.platform}-${process.arch}\n`)
    .update(lockText)
    .digest('hex');
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

/** The version that an executable reports, or undefined when there is none or it does not run here. */
function nodeVersion(executable) {
  const result = spawnSync(executable, ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function install(root) {
  const { packageManager } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  // From a folder outside of the repository: inside it, npx would take a pnpm from node_modules/.bin, which would then
  // be replacing itself. The version is exactly packageManager's, or pnpm would try to download that one.
  const result = spawnSync(
    npx,
    ['-y', packageManager, '-C', root, 'install', '--frozen-lockfile'],
    {
      cwd: os.tmpdir(),
      env: installEnvironment(process.env),
      shell: process.platform === 'win32',
      stdio: ['ignore', 2, 2],
    },
  );
  if (result.error !== undefined) fail(`could not start npx: ${result.error.message}`);
  if (result.status !== 0) {
    fail(
      'the dependencies could not be installed (the reason is above).\n' +
        'It needs the npm registry, and pnpm-lock.yaml must fit every package.json.',
    );
  }
}

/** Stops with a clear message unless the next script's `node` can run the project. */
function requireNode(root) {
  const bundled = path.join(root, 'node_modules', '.bin', 'node');
  if (fs.existsSync(bundled) && nodeVersion(bundled) === undefined) {
    // Installed but not able to run here (Alpine's musl, for one). It must not hide the system's Node.
    fs.rmSync(bundled);
  }
  const version = fs.existsSync(bundled) ? nodeVersion(bundled) : process.version;
  if (isNewEnough(version)) return;
  fail(
    `AllSource needs Node.js ${NODE_VERSION_MIN.join('.')} or later and found ${version}.\n` +
      `There is no Node.js package for ${process.platform}-${process.arch} that could be used instead.\n` +
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
  const stamp = path.join(modules, '.bootstrap');
  const wanted = lockHash(fs.readFileSync(path.join(root, 'pnpm-lock.yaml')));
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return;

  console.error(
    'bootstrap: installing the dependencies (about 10 to 30 seconds, the first time only)',
  );
  // A tree that `npm install` made: pnpm cannot build on it, and npm cannot build on pnpm's.
  if (fs.existsSync(modules) && !fs.existsSync(path.join(modules, '.modules.yaml'))) {
    fs.rmSync(modules, { recursive: true, force: true });
  }
  install(root);
  requireNode(root);
  fs.writeFileSync(stamp, wanted);
}

if (require.main === module) main();

module.exports = { installEnvironment, isNewEnough, lockHash };
