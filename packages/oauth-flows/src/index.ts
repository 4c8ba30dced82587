export * from "./OAuthFlows.ts"
export * from "./grants/SecretFiles.ts"
