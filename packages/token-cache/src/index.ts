export * from "./SingleFlightTokenCache.ts"
export * from "./TokenCapacity.ts"
export * from "./TokenStore.ts"
