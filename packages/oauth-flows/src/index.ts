export * from "./OAuthFlows.ts"
export * from "./grants/SecretFile.ts"
