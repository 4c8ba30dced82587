export * from "./OAuthFlows.ts"
export { AddressLookup } from "./endpoint/AddressGuard.ts"
export { SecretFiles } from "./grants/SecretFile.ts"
