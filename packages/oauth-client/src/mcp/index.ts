export * from "./McpAuthProvider.ts"
export * from "./McpFetch.ts"
