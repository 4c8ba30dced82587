export * from "./config/ConfigFile.ts"
export { decodeGatewayConfig, type GatewayConfig } from "./config/GatewayConfig.ts"
export type { RereadSecrets } from "./config/RereadSecrets.ts"
export type { AllowedCallers } from "./config/AllowedCallers.ts"
export type {
  CallersSettings,
  CompanyLoginSettings,
  IntrospectionSettings,
  JwtIssuerSettings
} from "./config/CallersSettings.ts"
export * from "./config/GatewaySettings.ts"
export * from "./config/StoreSettings.ts"
export type { TlsSettings } from "./config/TlsSettings.ts"
export * from "./GatewayServer.ts"
export * from "./DefaultGateway.ts"
export { Access, type Identified, type Refusal } from "./http/Access.ts"
export { CurrentCaller } from "./http/AccessMiddleware.ts"
export { McpRoute } from "./http/McpRoute.ts"
export { OperationsRoutes } from "./http/OperationsRoutes.ts"
export { PersonRoutes } from "./persons/PersonRoutes.ts"
export * from "./GatewayServices.ts"
export * from "./GatewayStore.ts"
export * from "./upstream/Servers.ts"
export { type Caller, type Exchange, type Rest, UpstreamFailure } from "./upstream/Upstream.ts"
export * from "./login/CallbackListener.ts"
export * from "./login/Logins.ts"
export * from "./status/LastErrors.ts"
export * from "./status/PersonActivity.ts"
