export * from "./AccessTokenRequest.ts"
export * from "./config/ClientAuthenticationMethod.ts"
export {
  ConfigError,
  decodeConfig,
  formatPath,
  problemsAt,
  type ConfigProblem,
  type ConfigResult
} from "./problems/ConfigProblem.ts"
export { endpointProblem, isLoopbackHost } from "./config/EndpointRule.ts"
export type { GrantDefinition, GrantKeys, GrantKeyValues } from "./config/GrantDefinition.ts"
export { grantTypes, isPersonalGrant, type GrantType, type OwnGrantType } from "./config/GrantType.ts"
export { usesCallerToken } from "./config/LateReference.ts"
export * from "./config/OAuthConfig.ts"
export type { OAuthConfigFields } from "./config/OAuthConfigFields.ts"
export { oauthConfigWarnings } from "./config/OAuthConfigWarnings.ts"
export * from "./errors/CorrelationId.ts"
export * from "./errors/Challenge.ts"
export {
  describeConnectionFailure,
  type ConnectionProblem,
  type IntendedConnection
} from "./errors/ConnectionProblem.ts"
export * from "./errors/OAuthError.ts"
export * from "./errors/OAuthErrorReason.ts"
export * from "./Grants.ts"
export { type ClientRegistration, RegisteredClients } from "./RegisteredClients.ts"
export type { OAuthEventListener } from "./events/EventDelivery.ts"
export * from "./events/OAuthEventListeners.ts"
export * from "./events/OAuthEvents.ts"
export { AddressLookup, type AddressRule } from "./AddressLookup.ts"
export * from "./LoginRecords.ts"
export * from "./OAuthHttp.ts"
export * from "./OAuthService.ts"
export * from "./OAuthToken.ts"
export { proxyFor, type Proxies } from "./proxy/Proxies.ts"
export * from "./TokenCache.ts"
export { tokenKeyString, type TokenKey } from "./TokenKey.ts"
