import { describe, expect, it } from '@jest/globals';
import { installEnvironment, isNewEnough, lockHash } from './bootstrap.cjs';

describe('bootstrap', () => {
  it('installs again when, and only when, the lock file has changed', () => {
    expect(lockHash('a: 1')).toBe(lockHash('a: 1'));
    expect(lockHash('a: 1')).not.toBe(lockHash('a: 2'));
  });

  it('hands pnpm the registry settings of npm and none of its other settings', () => {
    const environment = installEnvironment({
      PATH: '/bin',
      npm_config_registry: 'https://registry.example',
      npm_config_cafile: '/ca.pem',
      npm_config_prefix: '/usr',
      npm_config_package_lock: 'false',
      npm_lifecycle_event: 'pretest',
    });
    expect(environment).toEqual({
      PATH: '/bin',
      npm_config_registry: 'https://registry.example',
      npm_config_cafile: '/ca.pem',
      CI: 'true',
      ALLSOURCE_BOOTSTRAP: '1',
    });
  });

  it.each([
    ['v20.20.2', false],
    ['v22.17.9', false],
    ['v22.18.0', true],
    ['v24.21.0', true],
    ['nonsense', false],
  ])('judges Node %s as new enough: %s', (version, expected) => {
    expect(isNewEnough(version)).toBe(expected);
  });
});
