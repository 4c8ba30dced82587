import * as Context from "effect/Context"

/** What our own requests say they come from, unless the configuration says otherwise (`user_agent`). */
export const userAgentOf = (version: string): string =>
  `secure-mcp-gateway/${version} (+https://github.com/secure-mcp/secure-mcp-gateway)`

/** The `User-Agent` of the gateway that runs. */
export const DefaultUserAgent = Context.Reference<string | undefined>(
  "@secure-mcp/gateway/DefaultUserAgent",
  {
    defaultValue: () => undefined
  }
)
