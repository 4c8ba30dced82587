/** The members of a message that are looked at, at any of the levels. */
const names: ReadonlySet<string> = new Set([
  ..."jsonrpc id method params result error _meta".split(" "),
  ..."code message data reason error_description detail".split(" "),
  ..."name uri taskId cursor nextCursor arguments progressToken requestId level tools".split(" "),
  ..."protocolVersion supportedVersions capabilities serverInfo clientInfo inputResponses".split(" "),
  ..."protocolVersion clientCapabilities clientInfo subscriptionId logLevel"
    .split(" ")
    .map((name) => `io.modelcontextprotocol/${name}`)
])

/** The members of `arguments` or `inputResponses` that are looked at, whatever their names are. */
const maxNamed = 256

/** What a client answers and what it calls a tool with has names of its own. */
export const isLookedAt = (name: string, path: ReadonlyArray<string>, count: number): boolean =>
  path.length === 2 && (path[1] === "arguments" || path[1] === "inputResponses")
    ? count < maxNamed
    : names.has(name)
