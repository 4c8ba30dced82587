export * from "./database/SqlDatabase.ts"
export * from "./store/SqlTokenStore.ts"
