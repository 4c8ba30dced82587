export * from "./McpFetch.ts"
