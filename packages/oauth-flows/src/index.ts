export * from "./GrantsLayer.ts"
