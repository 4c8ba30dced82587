import * as Context from "effect/Context"

/**
 * How many tokens are kept in memory at most, at least 1: by the cache, and by the memory store. Beyond it the
 * token that was not used for the longest time leaves. Provide another number with
 * `Layer.succeed(TokenCapacity, 500)`.
 */
export const TokenCapacity = Context.Reference<number>("@secure-mcp/token-cache/TokenCapacity", {
  defaultValue: () => 10_000
})
