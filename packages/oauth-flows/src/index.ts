export * from "./GrantsLayer.ts"
export * from "./SecretFiles.ts"
