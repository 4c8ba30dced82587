export * from "./RedisConnection.ts"
export * from "./RedisTokenStore.ts"
