import { describe, expect, it } from '@jest/globals';
import { installEnvironment, installHash, isNewEnough } from './bootstrap.cjs';

describe('bootstrap', () => {
  it('installs again when, and only when, the lock file or a setting has changed', () => {
    const hash = installHash(['lock', 'settings']);
    expect(installHash(['lock', 'settings'])).toBe(hash);
    expect(installHash(['lock 2', 'settings'])).not.toBe(hash);
    expect(installHash(['lock', 'settings 2'])).not.toBe(hash);
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
