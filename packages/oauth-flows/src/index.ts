export * from "./OAuthFlows.ts"
export { AddressLookup } from "@secure-mcp/oauth-core"
export { SecretFiles } from "./grants/SecretFile.ts"
