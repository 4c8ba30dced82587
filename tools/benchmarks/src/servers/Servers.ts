/** Programs that a measurement starts with `startServer`, each a process whose time counts nowhere. */

/** Answers `tools/call`; takes the bytes of an answer. */
export const upstream = new URL("Upstream.ts", import.meta.url)

/** Gives tokens; takes milliseconds to wait before each. */
export const tokenEndpoint = new URL("TokenEndpoint.ts", import.meta.url)

/** Answers with as many bytes as it was sent. */
export const longAnswerServer = new URL("LongAnswerServer.ts", import.meta.url)

/** Sends an event a second on each stream. */
export const eventServer = new URL("EventServer.ts", import.meta.url)

/** Speaks the whole of MCP that a client needs to call tools. */
export const mcpServer = new URL("McpServer.ts", import.meta.url)
