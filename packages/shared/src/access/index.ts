export { AccessDirectory, type ApiKeyRecord, type TenantRecord } from './access-directory.ts';
export { apiKeyPrefix, generateApiKey, hashApiKey } from './api-key.ts';
export {
  Authenticator,
  type AuthenticatorOptions,
  type AuthOutcome,
  TOKEN_ISSUER,
} from './authenticator.ts';
export { presentedSecret } from './credentials.ts';
export {
  isPermitted,
  PERMISSIONS,
  type Permission,
  type Principal,
  parseRole,
} from './principal.ts';
export { resolveTenant } from './tenant-scope.ts';
