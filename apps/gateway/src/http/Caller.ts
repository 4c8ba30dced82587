import * as Context from "effect/Context"

/** Who sent a request to the gateway. */
export interface Caller {
  /** The person that the caller's API key stands for; absent where the gateway takes no keys. */
  readonly subject: string | undefined
}

/** The caller of the request at hand. */
export const CurrentCaller = Context.Reference<Caller>("@secure-mcp/gateway/CurrentCaller", {
  defaultValue: () => ({ subject: undefined })
})
