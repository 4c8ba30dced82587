export * from "./OAuthFlows.ts"
export { AddressLookup } from "@secure-mcp/oauth-core"
export { SecretSource, type RereadConfig } from "./client/SecretSource.ts"
export { SecretFiles } from "./grants/SecretFile.ts"
