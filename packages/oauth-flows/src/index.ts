export * from "./OAuthFlows.ts"
export { LoginRequests } from "./authorization/SharedAuthorizations.ts"
export { AddressLookup } from "@secure-mcp/oauth-core"
export type { Client } from "./client/Client.ts"
export type { FormParameters } from "./client/ClientAuthentication.ts"
export { SecretSource, type RereadConfig } from "./client/SecretSource.ts"
export { Circuit } from "./endpoint/Circuit.ts"
export { configuredEndpoint, discoveredEndpoint, type Endpoint } from "./endpoint/Endpoint.ts"
export {
  EndpointClient,
  type EndpointForm,
  type EndpointMessage,
  type UseAnswer
} from "./endpoint/EndpointClient.ts"
export type { Refuse } from "./endpoint/ErrorResponse.ts"
export type { ResponseFields } from "./endpoint/ResponseBody.ts"
export { retryTransient } from "./endpoint/Retry.ts"
export { readSuccessFields } from "./endpoint/SuccessResponse.ts"
export type { FlowServices } from "./grants/Acquire.ts"
export {
  Flow,
  type FlowContext,
  type FlowDefinition,
  type OwnFlow,
  type OwnTokenRequest
} from "./grants/Flow.ts"
export { requestFields } from "./grants/RequestFields.ts"
export { SecretFiles } from "./grants/SecretFile.ts"
export type { GrantContext } from "./resolution/ClientIdentity.ts"
export { type GrantTarget, GrantTargets } from "./resolution/GrantTarget.ts"
