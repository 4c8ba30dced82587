export * from "./OAuthFlows.ts"
export * from "./SecretFiles.ts"
